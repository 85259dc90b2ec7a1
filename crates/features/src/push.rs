//! XEP-0357: Push Notifications. Which messages are pushed is decided here.

pub mod decide;
