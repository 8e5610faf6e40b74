//! The actions as a client calls them, over a data plane and a clock that the tests steer.

mod backups;
mod callers;
mod examples;
mod leases;
mod offers;
mod orders;
mod owner;
mod tasks;
mod world;
