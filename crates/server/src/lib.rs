//! Sockets, tasks and wiring: everything that touches the world.
