//! The scanner's rules, one test each. Every input is scanned whole and byte by byte: the verdict must be the same.

use super::*;

mod strict;
