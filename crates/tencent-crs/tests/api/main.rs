//! The actions as a client calls them, over a data plane and a clock that the tests steer.

mod callers;
mod offers;
mod world;
