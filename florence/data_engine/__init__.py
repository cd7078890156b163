"""Making of data sets: merged detection sets with one taxonomy, and boxes that a detector proposes."""
