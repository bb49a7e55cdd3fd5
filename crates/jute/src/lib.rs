//! The Jute encoding: primitives, null rules, and the Record trait.
