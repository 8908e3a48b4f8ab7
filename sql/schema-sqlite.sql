-- The whole schema of revision 0003, for SQLite. Written by `make docs`, never by hand: `emg db upgrade` makes the same, step by step.

CREATE TABLE audit_log (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at DATETIME NOT NULL,
	who VARCHAR(128) NOT NULL,
	origin VARCHAR(45) NOT NULL,
	action VARCHAR(16) NOT NULL,
	subject VARCHAR(32) NOT NULL,
	name VARCHAR(128) NOT NULL,
	"before" TEXT NOT NULL,
	"after" TEXT NOT NULL
);

CREATE INDEX ix_audit_log_at ON audit_log (at);

CREATE INDEX ix_audit_log_name ON audit_log (name);

CREATE TABLE blacklist (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	white BOOLEAN NOT NULL,
	field VARCHAR(10) NOT NULL,
	address VARCHAR(64) NOT NULL,
	action VARCHAR(6) NOT NULL,
	note VARCHAR(255) NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT uq_blacklist_white_field_address UNIQUE (white, field, address)
);

CREATE TABLE config_version (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	at DATETIME NOT NULL,
	who VARCHAR(128) NOT NULL,
	why VARCHAR(255) NOT NULL,
	file VARCHAR(255) NOT NULL,
	text TEXT NOT NULL
);

CREATE TABLE connector (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name VARCHAR(64) NOT NULL,
	position INTEGER NOT NULL,
	disabled BOOLEAN NOT NULL,
	note TEXT NOT NULL,
	created DATETIME NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT uq_connector_name UNIQUE (name)
);

CREATE TABLE counter (
	name VARCHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	CONSTRAINT pk_counter PRIMARY KEY (name)
);

CREATE TABLE customer (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
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
	daily_report BOOLEAN NOT NULL,
	locked BOOLEAN NOT NULL,
	note TEXT NOT NULL,
	created DATETIME NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT uq_customer_name UNIQUE (name),
	CONSTRAINT uq_customer_number UNIQUE (number)
);

CREATE TABLE daily_summary (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	day DATETIME NOT NULL,
	account VARCHAR(64) NOT NULL,
	customer_id INTEGER,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	network VARCHAR(6) NOT NULL,
	currency VARCHAR(3) NOT NULL,
	status VARCHAR(16) NOT NULL,
	messages INTEGER NOT NULL,
	parts INTEGER NOT NULL,
	price BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	within_10s INTEGER NOT NULL,
	within_60s INTEGER NOT NULL,
	within_600s INTEGER NOT NULL,
	delay_ms INTEGER NOT NULL
);

CREATE INDEX ix_daily_summary_account_day ON daily_summary (account, day);

CREATE INDEX ix_daily_summary_day ON daily_summary (day);

CREATE TABLE dirty_hour (
	hour DATETIME NOT NULL,
	changed INTEGER NOT NULL,
	CONSTRAINT pk_dirty_hour PRIMARY KEY (hour)
);

CREATE TABLE hourly_summary (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	hour DATETIME NOT NULL,
	account VARCHAR(64) NOT NULL,
	customer_id INTEGER,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	network VARCHAR(6) NOT NULL,
	currency VARCHAR(3) NOT NULL,
	status VARCHAR(16) NOT NULL,
	messages INTEGER NOT NULL,
	parts INTEGER NOT NULL,
	price BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	within_10s INTEGER NOT NULL,
	within_60s INTEGER NOT NULL,
	within_600s INTEGER NOT NULL,
	delay_ms INTEGER NOT NULL,
	CONSTRAINT uq_hourly_summary_all UNIQUE (hour, account, customer_id, connector_in, connector_out, prefix, network, currency, status)
);

CREATE INDEX ix_hourly_summary_account_hour ON hourly_summary (account, hour);

CREATE TABLE job_run (
	name VARCHAR(64) NOT NULL,
	started DATETIME,
	ended DATETIME,
	success DATETIME,
	result VARCHAR(255) NOT NULL,
	error TEXT NOT NULL,
	failures INTEGER NOT NULL,
	CONSTRAINT pk_job_run PRIMARY KEY (name)
);

CREATE TABLE lease (
	name VARCHAR(64) NOT NULL,
	owner VARCHAR(128) NOT NULL,
	until DATETIME NOT NULL,
	CONSTRAINT pk_lease PRIMARY KEY (name)
);

CREATE TABLE log_gap (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	node SMALLINT NOT NULL,
	spool INTEGER NOT NULL,
	kind VARCHAR(16) NOT NULL,
	first INTEGER NOT NULL,
	last INTEGER NOT NULL,
	since DATETIME,
	until DATETIME NOT NULL,
	found DATETIME NOT NULL,
	corrected INTEGER NOT NULL,
	acknowledged DATETIME,
	acknowledged_by VARCHAR(128) NOT NULL,
	note VARCHAR(255) NOT NULL
);

CREATE TABLE mail (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	topic VARCHAR(128) NOT NULL,
	recipient VARCHAR(255) NOT NULL,
	subject VARCHAR(255) NOT NULL,
	body TEXT NOT NULL,
	status VARCHAR(16) NOT NULL,
	created DATETIME NOT NULL,
	due DATETIME NOT NULL,
	tries INTEGER NOT NULL,
	ended DATETIME,
	error TEXT NOT NULL,
	CONSTRAINT uq_mail_topic UNIQUE (topic)
);

CREATE INDEX ix_mail_status_due ON mail (status, due);

CREATE TABLE message_body (
	id INTEGER NOT NULL,
	received DATETIME NOT NULL,
	udh BLOB NOT NULL,
	body BLOB NOT NULL,
	text TEXT NOT NULL,
	masked BOOLEAN NOT NULL,
	CONSTRAINT pk_message_body PRIMARY KEY (id, received)
);

CREATE INDEX ix_message_body_received ON message_body (received);

CREATE TABLE message_part (
	id INTEGER NOT NULL,
	parent INTEGER NOT NULL,
	received DATETIME NOT NULL,
	number SMALLINT NOT NULL,
	total SMALLINT NOT NULL,
	status VARCHAR(16) NOT NULL,
	sent DATETIME,
	done DATETIME,
	remote_id VARCHAR(65) NOT NULL,
	error VARCHAR(16) NOT NULL,
	CONSTRAINT pk_message_part PRIMARY KEY (id)
);

CREATE INDEX ix_message_part_parent ON message_part (parent);

CREATE INDEX ix_message_part_received ON message_part (received);

CREATE INDEX ix_message_part_remote_id ON message_part (remote_id);

CREATE TABLE network (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	prefix VARCHAR(32) NOT NULL,
	country VARCHAR(2) NOT NULL,
	name VARCHAR(128) NOT NULL,
	mcc VARCHAR(3) NOT NULL,
	mnc VARCHAR(3) NOT NULL,
	CONSTRAINT uq_network_prefix UNIQUE (prefix)
);

CREATE TABLE plugin (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name VARCHAR(64) NOT NULL,
	position INTEGER NOT NULL,
	library VARCHAR(255) NOT NULL,
	url VARCHAR(255) NOT NULL,
	config TEXT NOT NULL,
	instances INTEGER NOT NULL,
	disabled BOOLEAN NOT NULL,
	note VARCHAR(255) NOT NULL,
	created DATETIME NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT uq_plugin_name UNIQUE (name)
);

CREATE TABLE price (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	prefix VARCHAR(32) NOT NULL,
	account VARCHAR(64) NOT NULL,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	price BIGINT NOT NULL,
	cost BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	valid_from DATETIME,
	valid_until DATETIME,
	refund VARCHAR(16) NOT NULL,
	updated DATETIME NOT NULL
);

CREATE INDEX ix_price_prefix ON price (prefix);

CREATE TABLE purged (
	subject VARCHAR(32) NOT NULL,
	"before" DATETIME NOT NULL,
	CONSTRAINT pk_purged PRIMARY KEY (subject)
);

CREATE TABLE recorder_position (
	node SMALLINT NOT NULL,
	spool INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	at DATETIME NOT NULL,
	row_at DATETIME,
	row_mark INTEGER NOT NULL,
	CONSTRAINT pk_recorder_position PRIMARY KEY (node, spool)
);

CREATE TABLE revision (
	subject VARCHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	CONSTRAINT pk_revision PRIMARY KEY (subject)
);

CREATE TABLE route (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	prefix VARCHAR(32) NOT NULL,
	account VARCHAR(64) NOT NULL,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(255) NOT NULL,
	priority INTEGER NOT NULL,
	weight INTEGER NOT NULL,
	enabled BOOLEAN NOT NULL,
	updated DATETIME NOT NULL
);

CREATE INDEX ix_route_prefix ON route (prefix);

CREATE TABLE routelog (
	id INTEGER NOT NULL,
	received DATETIME NOT NULL,
	account VARCHAR(64) NOT NULL,
	customer_id INTEGER,
	connector_in VARCHAR(64) NOT NULL,
	connector_out VARCHAR(64) NOT NULL,
	source VARCHAR(254) NOT NULL,
	dest VARCHAR(254) NOT NULL,
	encoding SMALLINT NOT NULL,
	octets INTEGER NOT NULL,
	parts SMALLINT NOT NULL,
	status VARCHAR(16) NOT NULL,
	sent DATETIME,
	done DATETIME,
	tries SMALLINT NOT NULL,
	maybe_sent BOOLEAN NOT NULL,
	remote_id VARCHAR(65) NOT NULL,
	error VARCHAR(16) NOT NULL,
	cause VARCHAR(40) NOT NULL,
	route VARCHAR(80) NOT NULL,
	price_row INTEGER NOT NULL,
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
);

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
);

CREATE INDEX ix_scheduler_job_next_run_time ON scheduler_job (next_run_time);

CREATE TABLE sent_form (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	token VARCHAR(64) NOT NULL,
	at DATETIME NOT NULL,
	CONSTRAINT uq_sent_form_token UNIQUE (token)
);

CREATE INDEX ix_sent_form_at ON sent_form (at);

CREATE TABLE setting (
	name VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT pk_setting PRIMARY KEY (name)
);

CREATE TABLE summed_day (
	day DATETIME NOT NULL,
	CONSTRAINT pk_summed_day PRIMARY KEY (day)
);

CREATE TABLE account (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	customer_id INTEGER,
	name VARCHAR(64) NOT NULL,
	password_hash VARCHAR(255) NOT NULL,
	locked BOOLEAN NOT NULL,
	deleted DATETIME,
	prepaid BOOLEAN NOT NULL,
	credit_limit INTEGER,
	currency VARCHAR(3) NOT NULL,
	credited BIGINT NOT NULL,
	charged BIGINT NOT NULL,
	low_balance INTEGER,
	low_balance_told BOOLEAN NOT NULL,
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
	perpartdlr BOOLEAN,
	content VARCHAR(16) NOT NULL,
	note TEXT NOT NULL,
	created DATETIME NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT fk_account_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id),
	CONSTRAINT uq_account_name UNIQUE (name)
);

CREATE INDEX ix_account_customer_id ON account (customer_id);

CREATE TABLE api_key (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name VARCHAR(64) NOT NULL,
	prefix VARCHAR(12) NOT NULL,
	key_hash VARCHAR(64) NOT NULL,
	customer_id INTEGER,
	scopes TEXT NOT NULL,
	rate DOUBLE NOT NULL,
	locked BOOLEAN NOT NULL,
	expires DATETIME,
	last_used DATETIME,
	created DATETIME NOT NULL,
	created_by VARCHAR(128) NOT NULL,
	CONSTRAINT uq_api_key_name UNIQUE (name),
	CONSTRAINT uq_api_key_key_hash UNIQUE (key_hash),
	CONSTRAINT fk_api_key_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id) ON DELETE CASCADE
);

CREATE INDEX ix_api_key_customer_id ON api_key (customer_id);

CREATE TABLE connector_option (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	connector_id INTEGER NOT NULL,
	position INTEGER NOT NULL,
	keyword VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	disabled BOOLEAN NOT NULL,
	note VARCHAR(255) NOT NULL,
	CONSTRAINT uq_connector_option_connector_id_position UNIQUE (connector_id, position),
	CONSTRAINT fk_connector_option_connector_id FOREIGN KEY(connector_id) REFERENCES connector (id) ON DELETE CASCADE
);

CREATE TABLE invoice (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	number INTEGER,
	kind VARCHAR(16) NOT NULL,
	status VARCHAR(16) NOT NULL,
	credits_id INTEGER,
	customer_id INTEGER NOT NULL,
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
	issued DATETIME,
	due DATE,
	note TEXT NOT NULL,
	created DATETIME NOT NULL,
	created_by VARCHAR(128) NOT NULL,
	CONSTRAINT uq_invoice_number UNIQUE (number),
	CONSTRAINT fk_invoice_credits_id FOREIGN KEY(credits_id) REFERENCES invoice (id),
	CONSTRAINT fk_invoice_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id)
);

CREATE INDEX ix_invoice_customer_id ON invoice (customer_id);

CREATE TABLE rule_change (
	audit_id INTEGER NOT NULL,
	subject VARCHAR(32) NOT NULL,
	number INTEGER NOT NULL,
	added INTEGER NOT NULL,
	removed INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	undoes INTEGER,
	undone INTEGER,
	image BLOB,
	CONSTRAINT pk_rule_change PRIMARY KEY (audit_id),
	CONSTRAINT fk_rule_change_audit_id FOREIGN KEY(audit_id) REFERENCES audit_log (id) ON DELETE CASCADE
);

CREATE INDEX ix_rule_change_subject_audit_id ON rule_change (subject, audit_id);

CREATE TABLE account_access (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	account_id INTEGER NOT NULL,
	network VARCHAR(43) NOT NULL,
	connector VARCHAR(64) NOT NULL,
	CONSTRAINT uq_account_access_account_id_network_connector UNIQUE (account_id, network, connector),
	CONSTRAINT fk_account_access_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
);

CREATE INDEX ix_account_access_account_id ON account_access (account_id);

CREATE TABLE invoice_line (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	invoice_id INTEGER NOT NULL,
	position INTEGER NOT NULL,
	account VARCHAR(64) NOT NULL,
	network VARCHAR(6) NOT NULL,
	prefix VARCHAR(32) NOT NULL,
	description VARCHAR(255) NOT NULL,
	messages INTEGER NOT NULL,
	parts INTEGER NOT NULL,
	unit_price BIGINT NOT NULL,
	amount BIGINT NOT NULL,
	CONSTRAINT uq_invoice_line_invoice_id_position UNIQUE (invoice_id, position),
	CONSTRAINT fk_invoice_line_invoice_id FOREIGN KEY(invoice_id) REFERENCES invoice (id) ON DELETE CASCADE
);

CREATE TABLE ledger (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	account_id INTEGER NOT NULL,
	at DATETIME NOT NULL,
	kind VARCHAR(16) NOT NULL,
	amount BIGINT NOT NULL,
	balance BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	hour DATETIME,
	messages INTEGER NOT NULL,
	who VARCHAR(128) NOT NULL,
	why VARCHAR(255) NOT NULL,
	reference VARCHAR(64) NOT NULL,
	CONSTRAINT uq_ledger_account_id_kind_hour UNIQUE (account_id, kind, hour),
	CONSTRAINT fk_ledger_account_id FOREIGN KEY(account_id) REFERENCES account (id)
);

CREATE INDEX ix_ledger_account_id_at ON ledger (account_id, at);

CREATE TABLE send_batch (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	account_id INTEGER NOT NULL,
	customer_id INTEGER,
	who VARCHAR(128) NOT NULL,
	created DATETIME NOT NULL,
	state VARCHAR(16) NOT NULL,
	source VARCHAR(64) NOT NULL,
	template TEXT NOT NULL,
	due DATETIME,
	validity INTEGER,
	total INTEGER NOT NULL,
	faulty INTEGER NOT NULL,
	faults TEXT NOT NULL,
	price BIGINT NOT NULL,
	unpriced INTEGER NOT NULL,
	currency VARCHAR(3) NOT NULL,
	served DATETIME NOT NULL,
	CONSTRAINT fk_send_batch_account_id FOREIGN KEY(account_id) REFERENCES account (id),
	CONSTRAINT fk_send_batch_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id) ON DELETE SET NULL
);

CREATE INDEX ix_send_batch_account_id ON send_batch (account_id);

CREATE INDEX ix_send_batch_customer_id ON send_batch (customer_id);

CREATE INDEX ix_send_batch_state_served ON send_batch (state, served);

CREATE TABLE web_user (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name VARCHAR(128) NOT NULL,
	full_name VARCHAR(255) NOT NULL,
	email VARCHAR(255) NOT NULL,
	password_hash VARCHAR(255) NOT NULL,
	role VARCHAR(16) NOT NULL,
	customer_id INTEGER,
	account_id INTEGER,
	locked BOOLEAN NOT NULL,
	must_change_password BOOLEAN NOT NULL,
	totp_secret VARCHAR(64),
	totp_step INTEGER NOT NULL,
	recovery_codes TEXT NOT NULL,
	session_epoch INTEGER NOT NULL,
	last_login DATETIME,
	last_ip VARCHAR(45) NOT NULL,
	created DATETIME NOT NULL,
	updated DATETIME NOT NULL,
	CONSTRAINT uq_web_user_name UNIQUE (name),
	CONSTRAINT fk_web_user_customer_id FOREIGN KEY(customer_id) REFERENCES customer (id),
	CONSTRAINT fk_web_user_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE SET NULL
);

CREATE INDEX ix_web_user_account_id ON web_user (account_id);

CREATE INDEX ix_web_user_customer_id ON web_user (customer_id);

CREATE TABLE saved_report (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	user_id INTEGER NOT NULL,
	name VARCHAR(128) NOT NULL,
	"query" TEXT NOT NULL,
	schedule VARCHAR(16) NOT NULL,
	recipients VARCHAR(255) NOT NULL,
	mailed DATETIME,
	created DATETIME NOT NULL,
	CONSTRAINT fk_saved_report_user_id FOREIGN KEY(user_id) REFERENCES web_user (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX uq_saved_report_user_id_name ON saved_report (user_id, name);

CREATE TABLE send_item (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	batch_id INTEGER NOT NULL,
	line INTEGER NOT NULL,
	dest VARCHAR(64) NOT NULL,
	text TEXT NOT NULL,
	parts INTEGER NOT NULL,
	state VARCHAR(16) NOT NULL,
	asked BOOLEAN NOT NULL,
	message_id INTEGER,
	reason VARCHAR(255) NOT NULL,
	CONSTRAINT fk_send_item_batch_id FOREIGN KEY(batch_id) REFERENCES send_batch (id) ON DELETE CASCADE
);

CREATE INDEX ix_send_item_batch_id_state_asked ON send_item (batch_id, state, asked);

CREATE TABLE web_session (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	digest VARCHAR(64) NOT NULL,
	user_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	proven BOOLEAN NOT NULL,
	created DATETIME NOT NULL,
	seen DATETIME NOT NULL,
	ip VARCHAR(45) NOT NULL,
	agent VARCHAR(255) NOT NULL,
	CONSTRAINT uq_web_session_digest UNIQUE (digest),
	CONSTRAINT fk_web_session_user_id FOREIGN KEY(user_id) REFERENCES web_user (id) ON DELETE CASCADE
);

CREATE INDEX ix_web_session_seen ON web_session (seen);

CREATE INDEX ix_web_session_user_id ON web_session (user_id);

CREATE TABLE web_token (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	digest VARCHAR(64) NOT NULL,
	promise VARCHAR(16) NOT NULL,
	user_id INTEGER NOT NULL,
	created DATETIME NOT NULL,
	created_by VARCHAR(128) NOT NULL,
	until DATETIME NOT NULL,
	CONSTRAINT uq_web_token_digest UNIQUE (digest),
	CONSTRAINT fk_web_token_user_id FOREIGN KEY(user_id) REFERENCES web_user (id) ON DELETE CASCADE
);

CREATE INDEX ix_web_token_user_id ON web_token (user_id);

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO alembic_version (version_num) VALUES ('0003');
