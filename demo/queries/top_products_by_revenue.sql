-- name: top_products_by_revenue
SELECT p.id, p.name, sum(i.quantity * i.unit_price) AS revenue
FROM order_items i
JOIN inventory p ON p.id = i.product_id
GROUP BY p.id, p.name
ORDER BY revenue DESC, p.id
LIMIT 10;
