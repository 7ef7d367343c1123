-- Backend: answers logins as the fault file says, and passes on a user who has moved meanwhile.
local client = dovecot.http.client({
  request_timeout_msecs = 15000,
  connect_timeout_msecs = 200,
  max_attempts = 1,
})
local ports = { imap = "10143", pop3 = "10110", lmtp = "10024" }

local function read_faults()
  local faults = {}
  local file = io.open("@FAULT_FILE@", "r")
  if file == nil then
    return faults
  end
  for line in file:lines() do
    local word, value = line:match("^(%S+)%s*(%S*)")
    if word ~= nil then
      faults[word] = value
    end
  end
  file:close()
  return faults
end

local function encode(text)
  return (text:gsub("[^%w@._~-]", function(char)
    return string.format("%%%02X", char:byte())
  end))
end

-- The cluster service answers 204 for "here". Where it cannot say, the user is served here.
local function find_elsewhere(user, service, asked, delay)
  local response = client
    :request({
      url = "@WHERE_URL@?u="
        .. encode(user)
        .. "&service="
        .. service
        .. "&asked="
        .. asked
        .. "&delay="
        .. delay,
      method = "GET",
    })
    :submit()
  if response:status() ~= 200 then
    return nil
  end
  return response:payload():match("^(%S+) (%S+)")
end

local function fault_result(faults)
  if faults.deny ~= nil and math.random(100) <= (tonumber(faults.deny) or 100) then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  if faults.temp ~= nil then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE
  end
  if faults.unknown ~= nil then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN
  end
  return nil
end

local function place(req, password)
  local faults = read_faults()
  local result = fault_result(faults)
  if result ~= nil then
    return result, "lab fault"
  end
  local asked = (req.passdb.forward_asked or ""):match("^%d+$") or "0"
  local host, address = find_elsewhere(req.user, req.service, asked, faults.slow or "0")
  if host == nil then
    return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
  end
  return dovecot.auth.PASSDB_RESULT_OK,
    {
      nopassword = "y",
      proxy = "y",
      host = host,
      hostip = address,
      port = ports[req.service],
      pass = password,
    }
end

function auth_password_verify(req, password)
  if password ~= "@PASSWORD@" then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "wrong password"
  end
  return place(req, password)
end

function auth_passdb_lookup(req)
  return place(req, nil)
end
