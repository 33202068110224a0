-- name: user_first_order
-- budget: p95 < 10ms, buffers < 50
-- param: user_id = sample(orders.user_id)
SELECT id, created_at, total
FROM orders
WHERE user_id = :user_id
ORDER BY created_at
LIMIT 1;
