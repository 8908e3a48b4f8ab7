"""What the watchdog's alerts need besides their recipients; part of `emg.config.check`. Pure."""

from emg.config import hashes
from emg.config.build import Draft
from emg.config.faults import Findings
from emg.config.values import ConnectorType, MailTls

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
NEEDS = {
    "ALERT_WEBHOOK": "ALERT_WEBHOOK_SECRET",
    "ALERT_SMS": "ALERT_SMS_USER",
    "ALERT_SMTP_USER": "ALERT_SMTP_PASSWORD",
}
"""Keywords that do nothing useful without another."""


def alerts(draft: Draft, findings: Findings) -> None:
    """Every recipient can be reached: what goes there is signed, has an account, and an address to log in at."""
    general = draft.general.value
    given = draft.general.given
    for name, needed in NEEDS.items():
        if name in given and needed not in given:
            findings.fault(given[name].file, given[name].line, f"{name} needs {needed}")
    if general.alert_smtp_user and general.alert_smtp_tls is MailTls.NONE and general.alert_smtp.host not in LOCAL:
        findings.warn(
            given["ALERT_SMTP_USER"].file,
            given["ALERT_SMTP_USER"].line,
            "the password for the mail server goes over the network in the clear; ALERT_SMTP_TLS encrypts it",
        )
    if not general.alert_sms or general.alert_sms_user is None:
        return
    place = (given["ALERT_SMS"].file, given["ALERT_SMS"].line)
    user = draft.users.get(general.alert_sms_user)
    if user is None and not general.database:
        findings.fault(*place, "ALERT_SMS_USER is no USER of this configuration, and there is no DATABASE")
    if general.alert_sms_password is None and (user is None or hashes.is_hash(user.value.password)):
        findings.fault(*place, "ALERT_SMS needs ALERT_SMS_PASSWORD: the account's password can't be read from here")
    incoming = any(each.value.type is ConnectorType.INCOMING for each in draft.connectors.values())
    if general.alert_sms_address is None and not incoming:
        findings.fault(
            *place, "ALERT_SMS needs ALERT_SMS_ADDRESS: no CONNECTOR of this configuration lets anybody log in"
        )
