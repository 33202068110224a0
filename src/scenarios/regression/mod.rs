//! What did this migration do to the plans, counters and timings of every query?
