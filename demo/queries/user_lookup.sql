-- name: user_lookup
-- budget: p95 < 5ms, buffers < 10, rows >= 1
-- param: email = sample(users.email)
SELECT id, email, name, country, created_at
FROM users
WHERE email = :email;
