-- Proxy: where does this user live? Asks the cluster service of this host, then those of its peers.
local client = dovecot.http.client({
  request_timeout_msecs = 2000,
  connect_timeout_msecs = 500,
  max_attempts = 2,
})
local urls = { @LOOKUP_URLS@ }
local ports = { imap = "10143", pop3 = "10110", lmtp = "10024" }
-- Without a limit of its own, a delivery waits minutes for a Backend that froze half-way.
local lmtp_timeout_secs = "20"

local function encode(text)
  return (text:gsub("[^%w@._~-]", function(char)
    return string.format("%%%02X", char:byte())
  end))
end

local function ask(user, service)
  local status = 0
  for _, url in ipairs(urls) do
    local response = client
      :request({ url = url .. "?u=" .. encode(user) .. "&service=" .. service, method = "GET" })
      :submit()
    status = response:status()
    if status == 200 or status == 404 then
      return status, response:payload()
    end
  end
  return status, nil
end

local function place(req, password)
  local status, body = ask(req.user, req.service)
  if status == 404 then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "unknown user"
  end
  local host, address, asked
  if status == 200 then
    host, address, asked = body:match("^(%S+) (%S+) (%d+)")
  end
  if host == nil then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "lookup answered " .. status
  end
  local fields = {
    nopassword = "y",
    proxy = "y",
    host = host,
    hostip = address,
    port = ports[req.service],
    pass = password,
    -- Tells the Backend how fresh this answer is.
    forward_asked = asked,
    -- By this the Backend has the sessions cut that came to it, and no others of the user.
    user_home = req.user .. " " .. host,
  }
  if req.service == "lmtp" then
    fields.proxy_timeout = lmtp_timeout_secs
  end
  return dovecot.auth.PASSDB_RESULT_OK, fields
end

function auth_password_verify(req, password)
  return place(req, password)
end

function auth_passdb_lookup(req)
  return place(req, nil)
end
