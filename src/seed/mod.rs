//! Data from declared distributions: value = f(seed, table, column, row).
