/** The Dovecot settings of a lab host: every instance is one folder with its own address. */
import { PORTS } from '../parts/addresses.mjs';

/** What every user of the lab has as password. */
export const USER_PASSWORD = 'pass';
/** The API key of every doveadm HTTP of the lab. */
export const DOVEADM_API_KEY = 'labapikey';

/**
 * @typedef {object} DovecotHost
 * @property {string} name
 * @property {string} address
 * @property {string} folder state of this host
 * @property {string} baseDir short: paths of UNIX sockets end at about 100 characters
 * @property {{ user: string, group: string }} runAs who Dovecot runs as
 * @property {number} doveadmPort where the real doveadm HTTP listens
 */

/**
 * @param {DovecotHost} host
 * @param {string} luaFile answers where a user lives
 * @returns {string} dovecot.conf of a proxy
 */
export function proxyConfig(host, luaFile) {
  return `${commonConfig(host)}
lmtp_proxy = yes
login_proxy_timeout = 5s
login_proxy_max_reconnects = 0
# Without the two return-fail lines a wrong password would be tried at the Backend.
passdb {
  driver = static
  args = password=${USER_PASSWORD}
  result_success = continue
  result_failure = return-fail
  result_internalfail = return-fail
}
passdb {
  driver = lua
  args = file=${luaFile} blocking=yes
}
${PROXY_METRICS}`;
}

/**
 * @param {DovecotHost} host
 * @param {string} luaFile decides about faults and moved users
 * @returns {string} dovecot.conf of a Backend
 */
export function backendConfig(host, luaFile) {
  const { user, group } = host.runAs;
  return `${commonConfig(host)}
mail_location = sdbox:${host.folder}/mailroot/%u
# Tells a client that is interested which Backend serves it, also through the proxies.
imap_capability = +X-BACKEND=${host.name}
mail_uid = ${user}
mail_gid = ${group}
# A user who moved while the login was under way is passed on to the new home.
lmtp_proxy = yes
login_proxy_timeout = 5s
login_proxy_max_reconnects = 0
namespace inbox {
  inbox = yes
  separator = /
}
# Whoever moves in need not wait for a process to be made.
service imap {
  process_min_avail = 4
}
passdb {
  driver = lua
  args = file=${luaFile} blocking=yes
}
# allow_all_users: or a delivery would ask the passdb twice.
userdb {
  driver = static
  args = uid=${user} gid=${group} home=${host.folder}/mailroot/%u allow_all_users=yes
}
`;
}

/** @param {DovecotHost} host @returns {string} what every Dovecot of the lab has in common */
export function commonConfig({ name, address, folder, baseDir, runAs, doveadmPort }) {
  return `base_dir = ${baseDir}
state_dir = ${folder}/state
instance_name = ${name}
log_path = ${folder}/dovecot.log
info_log_path = /dev/null
log_timestamp = "%Y-%m-%dT%H:%M:%S.%{usecs} "
listen = ${address}
protocols = imap pop3 lmtp
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_cache_size = 0
auth_worker_max_count = 100
login_trusted_networks = 127.0.0.0/8
first_valid_uid = 1
# fcntl locks end in "deadlock avoided" with many sessions of one user.
lock_method = flock
mail_max_userip_connections = 0
default_internal_user = ${runAs.user}
default_internal_group = ${runAs.group}
default_login_user = ${runAs.user}
default_client_limit = 10000
default_process_limit = 500
doveadm_api_key = ${DOVEADM_API_KEY}
${SERVICES}
service doveadm {
  service_count = 0
  inet_listener http {
    port = ${doveadmPort}
  }
}
`;
}

/** chroot and groups are off, so that it runs without being root. */
const SERVICES = `service anvil {
  chroot =
  # All clients of the lab share one address: the penalty would slow all of them down.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service ipc {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  client_limit = 4000
  process_limit = 8
  inet_listener imap {
    port = ${PORTS.imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  chroot =
  service_count = 0
  client_limit = 4000
  process_limit = 8
  inet_listener pop3 {
    port = ${PORTS.pop3}
  }
  inet_listener pop3s {
    port = 0
  }
}
service imap {
  extra_groups =
  # To start a process costs twice what a login costs; sessions are ended at the proxies (ADR 22).
  client_limit = 50
  service_count = 0
  process_limit = 500
}
service pop3 {
  client_limit = 1
  service_count = 200
  process_limit = 500
}
service lmtp {
  client_limit = 1
  # Each delivery wakes all that wait for one: after a crowd they go soon.
  idle_kill = 10s
  inet_listener lmtp {
    port = ${PORTS.lmtp}
  }
}
# The listener must be named http: any other name speaks the internal protocol.
service stats {
  inet_listener http {
    port = ${PORTS.dovecotMetrics}
  }
}`;

/**
 * Dovecot CE has no error_code: a failure is a session that ended with an error text, and
 * [UNAVAILABLE] (IMAP) or [SYS/TEMP] (POP3) stands for a temporary authentication failure, which
 * is not counted.
 * Deliveries are counted where the proxy is the client, because only that side knows the host.
 */
const PROXY_METRICS = `metric auth_success {
  filter = event=auth_request_finished AND success=yes
}
metric auth_failure {
  filter = event=auth_request_finished AND NOT success=yes
}
metric proxy_session_success {
  filter = event=proxy_session_established
  group_by = dest_host
}
metric proxy_session_failure {
  filter = event=proxy_session_finished AND error=* AND NOT error="[UNAVAILABLE]*" AND NOT error="[SYS/TEMP]*"
  group_by = dest_host
}
metric lmtp_rcpt_finished_success {
  filter = event=smtp_client_transaction_rcpt_finished AND category=lmtp AND status_code=250
  group_by = host
}
metric lmtp_rcpt_finished_failure {
  filter = (event=smtp_client_transaction_rcpt_finished AND category=lmtp AND NOT status_code=250 AND NOT enhanced_code=5.*) OR (event=smtp_client_transaction_finished AND category=lmtp AND error=* AND recipients=0 AND NOT status_code=9000)
  group_by = host
}
`;
