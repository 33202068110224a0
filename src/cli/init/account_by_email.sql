-- name: account_by_email
-- budget: p95 < 20ms, buffers < 10, no seq scan on accounts
-- param: email = sample(accounts.email)
SELECT id, balance FROM accounts WHERE email = :email;
