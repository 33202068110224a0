//! Does the application ask per row what it could ask once?
