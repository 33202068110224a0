//! Can these transactions deadlock, how does the database recover, and what does it cost everybody else?
