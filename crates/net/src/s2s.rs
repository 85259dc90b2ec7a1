//! Other servers: where they are, and the way there. Which domain may say what over a stream is judged elsewhere; what is here
//! ends with a connected socket.

pub mod dial;
pub mod reach;
pub mod resolve;

use metronome_host::options::Setting;

/// The settings of server-to-server streams.
pub const SETTINGS: &[Setting] = &[reach::ALLOW_ADDRESSES, dial::CONNECT_TIMEOUT, metronome_host::routes::ROUTES];
