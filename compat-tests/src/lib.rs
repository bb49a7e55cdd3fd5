//! Black-box tests against real clients and a real ZooKeeper.
