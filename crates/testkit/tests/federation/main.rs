//! Servers that talk to each other over real sockets: how they find, encrypt and prove themselves, and what they do with those who lie.

mod dialback;
mod endings;
mod external;
mod gate;
mod hostile;
mod management;
mod outgoing;
mod restarts;
mod streams;
mod unasked;
mod zoo;
