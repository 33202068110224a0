-- name: users_with_large_orders
-- param: minimum = one_of(200, 300, 500)
SELECT DISTINCT u.id, u.email
FROM users u
JOIN orders o ON o.user_id = u.id
WHERE o.total > :minimum
ORDER BY u.id
LIMIT 100;
