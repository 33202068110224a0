-- name: revenue_by_country
SELECT u.country, sum(o.total) AS revenue
FROM users u
JOIN orders o ON o.user_id = u.id
WHERE o.status <> 'cancelled'
GROUP BY u.country
ORDER BY revenue DESC, u.country;
