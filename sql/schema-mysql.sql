-- The whole schema of revision 0003, for MySQL and MariaDB. Written by `make docs`, never by hand: `emg db upgrade` makes the same, step by step.

CREATE TABLE audit_log (
	id BIGINT NOT NULL AUTO_INCREMENT,
	at DATETIME(6) NOT NULL,
	who VARCHAR(128) NOT NULL,
	origin VARCHAR(45) NOT NULL,
	action VARCHAR(16) NOT NULL,
	subject VARCHAR(32) NOT NULL,
	name VARCHAR(128) NOT NULL,
	`before` TEXT NOT NULL,
	after TEXT NOT NULL,
	CONSTRAINT pk_audit_log PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_audit_log_at ON audit_log (at);

CREATE INDEX ix_audit_log_name ON audit_log (name);

CREATE TABLE blacklist (
	id BIGINT NOT NULL AUTO_INCREMENT,
	white BOOL NOT NULL,
	field VARCHAR(10) NOT NULL,
	address VARCHAR(64) NOT NULL,
	action VARCHAR(6) NOT NULL,
	note VARCHAR(255) NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_blacklist PRIMARY KEY (id),
	CONSTRAINT uq_blacklist_white_field_address UNIQUE (white, field, address)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE config_version (
	id BIGINT NOT NULL AUTO_INCREMENT,
	at DATETIME(6) NOT NULL,
	who VARCHAR(128) NOT NULL,
	why VARCHAR(255) NOT NULL,
	file VARCHAR(255) NOT NULL,
	text TEXT NOT NULL,
	CONSTRAINT pk_config_version PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE connector (
	id BIGINT NOT NULL AUTO_INCREMENT,
	name VARCHAR(64) NOT NULL,
	position INTEGER NOT NULL,
	disabled BOOL NOT NULL,
	note TEXT NOT NULL,
	created DATETIME(6) NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_connector PRIMARY KEY (id),
	CONSTRAINT uq_connector_name UNIQUE (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE counter (
	name VARCHAR(32) NOT NULL,
	number BIGINT NOT NULL,
	CONSTRAINT pk_counter PRIMARY KEY (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE customer (
	id BIGINT NOT NULL AUTO_INCREMENT,
	name VARCHAR(128) NOT NULL,
	number VARCHAR(32),
	organisation_number VARCHAR(32) NOT NULL,
	vat_number VARCHAR(32) NOT NULL,
	reference VARCHAR(128) NOT NULL,
	address TEXT NOT NULL,
	country VARCHAR(2) NOT NULL,
	email VARCHAR(255) NOT NULL,
	technical_contact VARCHAR(255) NOT NULL,
	currency VARCHAR(3) NOT NULL,
	vat INTEGER NOT NULL,
	payment_days INTEGER NOT NULL,
	daily_report BOOL NOT NULL,
	locked BOOL NOT NULL,
	note TEXT NOT NULL,
	created DATETIME(6) NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_customer PRIMARY KEY (id),
	CONSTRAINT uq_customer_name UNIQUE (name),
	CONSTRAINT uq_customer_number UNIQUE (number)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE daily_summary (
	id BIGINT NOT NULL AUTO_INCREMENT,
	day DATETIME(6) NOT NULL,
	account VARCHAR(64) NOT NULL,
	customer_id BIGINT,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	network VARCHAR(6) NOT NULL,
	currency VARCHAR(3) NOT NULL,
	status ENUM('queued','sent','delivered','failed','expired','unknown','deleted') NOT NULL,
	messages INTEGER NOT NULL,
	parts INTEGER NOT NULL,
	price BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	within_10s INTEGER NOT NULL,
	within_60s INTEGER NOT NULL,
	within_600s INTEGER NOT NULL,
	delay_ms BIGINT NOT NULL,
	CONSTRAINT pk_daily_summary PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_daily_summary_account_day ON daily_summary (account, day);

CREATE INDEX ix_daily_summary_day ON daily_summary (day);

CREATE TABLE dirty_hour (
	hour DATETIME(6) NOT NULL,
	changed BIGINT NOT NULL,
	CONSTRAINT pk_dirty_hour PRIMARY KEY (hour)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE hourly_summary (
	id BIGINT NOT NULL AUTO_INCREMENT,
	hour DATETIME(6) NOT NULL,
	account VARCHAR(64) NOT NULL,
	customer_id BIGINT,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	network VARCHAR(6) NOT NULL,
	currency VARCHAR(3) NOT NULL,
	status ENUM('queued','sent','delivered','failed','expired','unknown','deleted') NOT NULL,
	messages INTEGER NOT NULL,
	parts INTEGER NOT NULL,
	price BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	within_10s INTEGER NOT NULL,
	within_60s INTEGER NOT NULL,
	within_600s INTEGER NOT NULL,
	delay_ms BIGINT NOT NULL,
	CONSTRAINT pk_hourly_summary PRIMARY KEY (id),
	CONSTRAINT uq_hourly_summary_all UNIQUE (hour, account, customer_id, connector_in, connector_out, prefix, network, currency, status)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_hourly_summary_account_hour ON hourly_summary (account, hour);

CREATE TABLE job_run (
	name VARCHAR(64) NOT NULL,
	started DATETIME(6),
	ended DATETIME(6),
	success DATETIME(6),
	result VARCHAR(255) NOT NULL,
	error TEXT NOT NULL,
	failures INTEGER NOT NULL,
	CONSTRAINT pk_job_run PRIMARY KEY (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE lease (
	name VARCHAR(64) NOT NULL,
	owner VARCHAR(128) NOT NULL,
	until DATETIME(6) NOT NULL,
	CONSTRAINT pk_lease PRIMARY KEY (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE log_gap (
	id BIGINT NOT NULL AUTO_INCREMENT,
	node SMALLINT NOT NULL,
	spool BIGINT NOT NULL,
	kind ENUM('events','fresh','copy') NOT NULL,
	first BIGINT NOT NULL,
	last BIGINT NOT NULL,
	since DATETIME(6),
	until DATETIME(6) NOT NULL,
	found DATETIME(6) NOT NULL,
	corrected INTEGER NOT NULL,
	acknowledged DATETIME(6),
	acknowledged_by VARCHAR(128) NOT NULL,
	note VARCHAR(255) NOT NULL,
	CONSTRAINT pk_log_gap PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE mail (
	id BIGINT NOT NULL AUTO_INCREMENT,
	topic VARCHAR(128) NOT NULL,
	recipient VARCHAR(255) NOT NULL,
	subject VARCHAR(255) NOT NULL,
	body TEXT NOT NULL,
	status ENUM('queued','sending','sent','maybe','failed') NOT NULL,
	created DATETIME(6) NOT NULL,
	due DATETIME(6) NOT NULL,
	tries INTEGER NOT NULL,
	ended DATETIME(6),
	error TEXT NOT NULL,
	CONSTRAINT pk_mail PRIMARY KEY (id),
	CONSTRAINT uq_mail_topic UNIQUE (topic)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_mail_status_due ON mail (status, due);

CREATE TABLE message_body (
	id BIGINT NOT NULL,
	received DATETIME(6) NOT NULL,
	udh TINYBLOB NOT NULL,
	body MEDIUMBLOB NOT NULL,
	text TEXT NOT NULL,
	masked BOOL NOT NULL,
	CONSTRAINT pk_message_body PRIMARY KEY (id, received)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin PARTITION BY RANGE COLUMNS (received) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE INDEX ix_message_body_received ON message_body (received);

CREATE TABLE message_part (
	id BIGINT NOT NULL,
	parent BIGINT NOT NULL,
	received DATETIME(6) NOT NULL,
	number SMALLINT NOT NULL,
	total SMALLINT NOT NULL,
	status ENUM('queued','sent','delivered','failed','expired','unknown','deleted') NOT NULL,
	sent DATETIME(6),
	done DATETIME(6),
	remote_id VARCHAR(65) NOT NULL,
	error VARCHAR(16) NOT NULL,
	CONSTRAINT pk_message_part PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_message_part_parent ON message_part (parent);

CREATE INDEX ix_message_part_received ON message_part (received);

CREATE INDEX ix_message_part_remote_id ON message_part (remote_id);

CREATE TABLE network (
	id BIGINT NOT NULL AUTO_INCREMENT,
	prefix VARCHAR(32) NOT NULL,
	country VARCHAR(2) NOT NULL,
	name VARCHAR(128) NOT NULL,
	mcc VARCHAR(3) NOT NULL,
	mnc VARCHAR(3) NOT NULL,
	CONSTRAINT pk_network PRIMARY KEY (id),
	CONSTRAINT uq_network_prefix UNIQUE (prefix)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE plugin (
	id BIGINT NOT NULL AUTO_INCREMENT,
	name VARCHAR(64) NOT NULL,
	position INTEGER NOT NULL,
	library VARCHAR(255) NOT NULL,
	url VARCHAR(255) NOT NULL,
	config TEXT NOT NULL,
	instances INTEGER NOT NULL,
	disabled BOOL NOT NULL,
	note VARCHAR(255) NOT NULL,
	created DATETIME(6) NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_plugin PRIMARY KEY (id),
	CONSTRAINT uq_plugin_name UNIQUE (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE price (
	id BIGINT NOT NULL AUTO_INCREMENT,
	prefix VARCHAR(32) NOT NULL,
	account VARCHAR(64) NOT NULL,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	price BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	valid_from DATETIME(6),
	valid_until DATETIME(6),
	refund ENUM('never','refused','undelivered') NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_price PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_price_prefix ON price (prefix);

CREATE TABLE purged (
	subject VARCHAR(32) NOT NULL,
	`before` DATETIME(6) NOT NULL,
	CONSTRAINT pk_purged PRIMARY KEY (subject)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE recorder_position (
	node SMALLINT NOT NULL,
	spool BIGINT NOT NULL,
	seq BIGINT NOT NULL,
	at DATETIME(6) NOT NULL,
	row_at DATETIME(6),
	row_mark BIGINT NOT NULL,
	CONSTRAINT pk_recorder_position PRIMARY KEY (node, spool)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE revision (
	subject VARCHAR(32) NOT NULL,
	number BIGINT NOT NULL,
	CONSTRAINT pk_revision PRIMARY KEY (subject)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE route (
	id BIGINT NOT NULL AUTO_INCREMENT,
	prefix VARCHAR(32) NOT NULL,
	account VARCHAR(64) NOT NULL,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(255) NOT NULL,
	priority INTEGER NOT NULL,
	weight INTEGER NOT NULL,
	enabled BOOL NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_route PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_route_prefix ON route (prefix);

CREATE TABLE routelog (
	id BIGINT NOT NULL,
	received DATETIME(6) NOT NULL,
	account VARCHAR(64) NOT NULL,
	customer_id BIGINT,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	source VARCHAR(254) NOT NULL,
	dest VARCHAR(254) NOT NULL,
	encoding SMALLINT NOT NULL,
	octets INTEGER NOT NULL,
	parts SMALLINT NOT NULL,
	status ENUM('queued','sent','delivered','failed','expired','unknown','deleted') NOT NULL,
	sent DATETIME(6),
	done DATETIME(6),
	tries SMALLINT NOT NULL,
	maybe_sent BOOL NOT NULL,
	remote_id VARCHAR(65) NOT NULL,
	error VARCHAR(16) NOT NULL,
	cause VARCHAR(40) NOT NULL,
	route VARCHAR(80) NOT NULL,
	price_row BIGINT NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	network VARCHAR(6) NOT NULL,
	price BIGINT NOT NULL,
	refunded BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	reference VARCHAR(64) NOT NULL,
	ip VARCHAR(45) NOT NULL,
	node SMALLINT NOT NULL,
	CONSTRAINT pk_routelog PRIMARY KEY (id, received)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin PARTITION BY RANGE COLUMNS (received) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE INDEX ix_routelog_account_received ON routelog (account, received, id);

CREATE INDEX ix_routelog_dest_received ON routelog (dest, received, id);

CREATE INDEX ix_routelog_received ON routelog (received, id);

CREATE INDEX ix_routelog_remote_id ON routelog (remote_id);

CREATE INDEX ix_routelog_source_received ON routelog (source, received, id);

CREATE TABLE scheduler_job (
	id VARCHAR(191) NOT NULL,
	next_run_time DOUBLE,
	job_state BLOB NOT NULL,
	CONSTRAINT pk_scheduler_job PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_scheduler_job_next_run_time ON scheduler_job (next_run_time);

CREATE TABLE sent_form (
	id BIGINT NOT NULL AUTO_INCREMENT,
	token VARCHAR(64) NOT NULL,
	at DATETIME(6) NOT NULL,
	CONSTRAINT pk_sent_form PRIMARY KEY (id),
	CONSTRAINT uq_sent_form_token UNIQUE (token)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_sent_form_at ON sent_form (at);

CREATE TABLE setting (
	name VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_setting PRIMARY KEY (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE summed_day (
	day DATETIME(6) NOT NULL,
	CONSTRAINT pk_summed_day PRIMARY KEY (day)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE account (
	id BIGINT NOT NULL AUTO_INCREMENT,
	customer_id BIGINT,
	name VARCHAR(64) NOT NULL,
	password_hash VARCHAR(255) NOT NULL,
	locked BOOL NOT NULL,
	deleted DATETIME(6),
	prepaid BOOL NOT NULL,
	credit_limit BIGINT,
	currency VARCHAR(3) NOT NULL,
	credited BIGINT NOT NULL,
	charged BIGINT NOT NULL,
	low_balance BIGINT,
	low_balance_told BOOL NOT NULL,
	sessions INTEGER NOT NULL,
	throughput DOUBLE NOT NULL,
	windowsize INTEGER,
	maxqueuesize INTEGER NOT NULL,
	daily_limit INTEGER NOT NULL,
	maxparts INTEGER,
	operations VARCHAR(255) NOT NULL,
	force_sourceaddr VARCHAR(64) NOT NULL,
	sourceaddr TEXT NOT NULL,
	route VARCHAR(64) NOT NULL,
	routedlr VARCHAR(64) NOT NULL,
	perpartdlr BOOL,
	content ENUM('full','masked','none') NOT NULL,
	note TEXT NOT NULL,
	created DATETIME(6) NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_account PRIMARY KEY (id),
	CONSTRAINT fk_account_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id),
	CONSTRAINT uq_account_name UNIQUE (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_account_customer_id ON account (customer_id);

CREATE TABLE api_key (
	id BIGINT NOT NULL AUTO_INCREMENT,
	name VARCHAR(64) NOT NULL,
	prefix VARCHAR(12) NOT NULL,
	key_hash VARCHAR(64) NOT NULL,
	customer_id BIGINT,
	scopes TEXT NOT NULL,
	rate DOUBLE NOT NULL,
	locked BOOL NOT NULL,
	expires DATETIME(6),
	last_used DATETIME(6),
	created DATETIME(6) NOT NULL,
	created_by VARCHAR(128) NOT NULL,
	CONSTRAINT pk_api_key PRIMARY KEY (id),
	CONSTRAINT uq_api_key_name UNIQUE (name),
	CONSTRAINT uq_api_key_key_hash UNIQUE (key_hash),
	CONSTRAINT fk_api_key_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_api_key_customer_id ON api_key (customer_id);

CREATE TABLE connector_option (
	id BIGINT NOT NULL AUTO_INCREMENT,
	connector_id BIGINT NOT NULL,
	position INTEGER NOT NULL,
	keyword VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	disabled BOOL NOT NULL,
	note VARCHAR(255) NOT NULL,
	CONSTRAINT pk_connector_option PRIMARY KEY (id),
	CONSTRAINT uq_connector_option_connector_id_position UNIQUE (connector_id, position),
	CONSTRAINT fk_connector_option_connector_id FOREIGN KEY(connector_id) REFERENCES connector (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE invoice (
	id BIGINT NOT NULL AUTO_INCREMENT,
	number BIGINT,
	kind ENUM('invoice','credit_note') NOT NULL,
	status ENUM('draft','issued') NOT NULL,
	credits_id BIGINT,
	customer_id BIGINT NOT NULL,
	period_start DATE NOT NULL,
	period_end DATE NOT NULL,
	currency VARCHAR(3) NOT NULL,
	net BIGINT NOT NULL,
	vat INTEGER NOT NULL,
	vat_amount BIGINT NOT NULL,
	rounding BIGINT NOT NULL,
	total BIGINT NOT NULL,
	customer_name VARCHAR(255) NOT NULL,
	customer_number VARCHAR(32) NOT NULL,
	organisation_number VARCHAR(32) NOT NULL,
	vat_number VARCHAR(32) NOT NULL,
	reference VARCHAR(128) NOT NULL,
	address TEXT NOT NULL,
	country VARCHAR(2) NOT NULL,
	payment_days INTEGER NOT NULL,
	issued DATETIME(6),
	due DATE,
	note TEXT NOT NULL,
	created DATETIME(6) NOT NULL,
	created_by VARCHAR(128) NOT NULL,
	CONSTRAINT pk_invoice PRIMARY KEY (id),
	CONSTRAINT uq_invoice_number UNIQUE (number),
	CONSTRAINT fk_invoice_credits_id FOREIGN KEY(credits_id) REFERENCES invoice (id),
	CONSTRAINT fk_invoice_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_invoice_customer_id ON invoice (customer_id);

CREATE TABLE rule_change (
	audit_id BIGINT NOT NULL,
	subject VARCHAR(32) NOT NULL,
	number BIGINT NOT NULL,
	added INTEGER NOT NULL,
	removed INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	undoes BIGINT,
	undone BIGINT,
	image MEDIUMBLOB,
	CONSTRAINT pk_rule_change PRIMARY KEY (audit_id),
	CONSTRAINT fk_rule_change_audit_id FOREIGN KEY(audit_id) REFERENCES audit_log (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_rule_change_subject_audit_id ON rule_change (subject, audit_id);

CREATE TABLE account_access (
	id BIGINT NOT NULL AUTO_INCREMENT,
	account_id BIGINT NOT NULL,
	network VARCHAR(43) NOT NULL,
	connector VARCHAR(64) NOT NULL,
	CONSTRAINT pk_account_access PRIMARY KEY (id),
	CONSTRAINT uq_account_access_account_id_network_connector UNIQUE (account_id, network, connector),
	CONSTRAINT fk_account_access_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_account_access_account_id ON account_access (account_id);

CREATE TABLE invoice_line (
	id BIGINT NOT NULL AUTO_INCREMENT,
	invoice_id BIGINT NOT NULL,
	position INTEGER NOT NULL,
	account VARCHAR(64) NOT NULL,
	network VARCHAR(6) NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	description VARCHAR(255) NOT NULL,
	messages BIGINT NOT NULL,
	parts BIGINT NOT NULL,
	unit_price BIGINT NOT NULL,
	amount BIGINT NOT NULL,
	CONSTRAINT pk_invoice_line PRIMARY KEY (id),
	CONSTRAINT uq_invoice_line_invoice_id_position UNIQUE (invoice_id, position),
	CONSTRAINT fk_invoice_line_invoice_id FOREIGN KEY(invoice_id) REFERENCES invoice (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE ledger (
	id BIGINT NOT NULL AUTO_INCREMENT,
	account_id BIGINT NOT NULL,
	at DATETIME(6) NOT NULL,
	kind ENUM('topup','correction','traffic','restored') NOT NULL,
	amount BIGINT NOT NULL,
	balance BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	hour DATETIME(6),
	messages INTEGER NOT NULL,
	who VARCHAR(128) NOT NULL,
	why VARCHAR(255) NOT NULL,
	reference VARCHAR(64) NOT NULL,
	CONSTRAINT pk_ledger PRIMARY KEY (id),
	CONSTRAINT uq_ledger_account_id_kind_hour UNIQUE (account_id, kind, hour),
	CONSTRAINT fk_ledger_account_id FOREIGN KEY(account_id) REFERENCES account (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_ledger_account_id_at ON ledger (account_id, at);

CREATE TABLE send_batch (
	id BIGINT NOT NULL AUTO_INCREMENT,
	account_id BIGINT NOT NULL,
	customer_id BIGINT,
	who VARCHAR(128) NOT NULL,
	created DATETIME(6) NOT NULL,
	state ENUM('draft','sending','paused','done','cancelled') NOT NULL,
	source VARCHAR(64) NOT NULL,
	template TEXT NOT NULL,
	due DATETIME(6),
	validity INTEGER,
	total INTEGER NOT NULL,
	faulty INTEGER NOT NULL,
	faults TEXT NOT NULL,
	price BIGINT NOT NULL,
	unpriced INTEGER NOT NULL,
	currency VARCHAR(3) NOT NULL,
	served DATETIME(6) NOT NULL,
	CONSTRAINT pk_send_batch PRIMARY KEY (id),
	CONSTRAINT fk_send_batch_account_id FOREIGN KEY(account_id) REFERENCES account (id),
	CONSTRAINT fk_send_batch_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id) ON DELETE SET NULL
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_send_batch_account_id ON send_batch (account_id);

CREATE INDEX ix_send_batch_customer_id ON send_batch (customer_id);

CREATE INDEX ix_send_batch_state_served ON send_batch (state, served);

CREATE TABLE web_user (
	id BIGINT NOT NULL AUTO_INCREMENT,
	name VARCHAR(128) NOT NULL,
	full_name VARCHAR(255) NOT NULL,
	email VARCHAR(255) NOT NULL,
	password_hash VARCHAR(255) NOT NULL,
	`role` ENUM('owner','engineer','finance','customer_admin','customer_user') NOT NULL,
	customer_id BIGINT,
	account_id BIGINT,
	locked BOOL NOT NULL,
	must_change_password BOOL NOT NULL,
	totp_secret VARCHAR(64),
	totp_step BIGINT NOT NULL,
	recovery_codes TEXT NOT NULL,
	session_epoch INTEGER NOT NULL,
	last_login DATETIME(6),
	last_ip VARCHAR(45) NOT NULL,
	created DATETIME(6) NOT NULL,
	updated DATETIME(6) NOT NULL,
	CONSTRAINT pk_web_user PRIMARY KEY (id),
	CONSTRAINT uq_web_user_name UNIQUE (name),
	CONSTRAINT fk_web_user_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id),
	CONSTRAINT fk_web_user_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE SET NULL
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_web_user_account_id ON web_user (account_id);

CREATE INDEX ix_web_user_customer_id ON web_user (customer_id);

CREATE TABLE saved_report (
	id BIGINT NOT NULL AUTO_INCREMENT,
	user_id BIGINT NOT NULL,
	name VARCHAR(128) NOT NULL,
	query TEXT NOT NULL,
	schedule VARCHAR(16) NOT NULL,
	recipients VARCHAR(255) NOT NULL,
	mailed DATETIME(6),
	created DATETIME(6) NOT NULL,
	CONSTRAINT pk_saved_report PRIMARY KEY (id),
	CONSTRAINT fk_saved_report_user_id FOREIGN KEY(user_id) REFERENCES web_user (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE UNIQUE INDEX uq_saved_report_user_id_name ON saved_report (user_id, name);

CREATE TABLE send_item (
	id BIGINT NOT NULL AUTO_INCREMENT,
	batch_id BIGINT NOT NULL,
	line INTEGER NOT NULL,
	dest VARCHAR(64) NOT NULL,
	text TEXT NOT NULL,
	parts INTEGER NOT NULL,
	state ENUM('waiting','sent','refused','cancelled') NOT NULL,
	asked BOOL NOT NULL,
	message_id BIGINT,
	reason VARCHAR(255) NOT NULL,
	CONSTRAINT pk_send_item PRIMARY KEY (id),
	CONSTRAINT fk_send_item_batch_id FOREIGN KEY(batch_id) REFERENCES send_batch (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_send_item_batch_id_state_asked ON send_item (batch_id, state, asked);

CREATE TABLE web_session (
	id BIGINT NOT NULL AUTO_INCREMENT,
	digest VARCHAR(64) NOT NULL,
	user_id BIGINT NOT NULL,
	epoch INTEGER NOT NULL,
	proven BOOL NOT NULL,
	created DATETIME(6) NOT NULL,
	seen DATETIME(6) NOT NULL,
	ip VARCHAR(45) NOT NULL,
	agent VARCHAR(255) NOT NULL,
	CONSTRAINT pk_web_session PRIMARY KEY (id),
	CONSTRAINT uq_web_session_digest UNIQUE (digest),
	CONSTRAINT fk_web_session_user_id FOREIGN KEY(user_id) REFERENCES web_user (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_web_session_seen ON web_session (seen);

CREATE INDEX ix_web_session_user_id ON web_session (user_id);

CREATE TABLE web_token (
	id BIGINT NOT NULL AUTO_INCREMENT,
	digest VARCHAR(64) NOT NULL,
	promise ENUM('invitation','reset') NOT NULL,
	user_id BIGINT NOT NULL,
	created DATETIME(6) NOT NULL,
	created_by VARCHAR(128) NOT NULL,
	until DATETIME(6) NOT NULL,
	CONSTRAINT pk_web_token PRIMARY KEY (id),
	CONSTRAINT uq_web_token_digest UNIQUE (digest),
	CONSTRAINT fk_web_token_user_id FOREIGN KEY(user_id) REFERENCES web_user (id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_web_token_user_id ON web_token (user_id);

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO alembic_version (version_num) VALUES ('0003');
