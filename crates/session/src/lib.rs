//! One client's conversation and who watches what, without IO.
