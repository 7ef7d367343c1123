-- A Backend behind Dovecot's director: checks the password as the lab's do, and serves whoever comes.
function auth_password_verify(_, password)
  if password ~= "@PASSWORD@" then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "wrong password"
  end
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
end

function auth_passdb_lookup(_)
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
end
