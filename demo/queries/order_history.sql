-- name: order_history
-- budget: p95 < 10ms, buffers < 50, no seq scan on orders
-- param: user_id = sample(orders.user_id)
SELECT id, status, total, created_at
FROM orders
WHERE user_id = :user_id
ORDER BY created_at DESC
LIMIT 20;
