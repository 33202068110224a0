//! Parameter sets for a query, drawn from their declared sources, reproducible by seed.
