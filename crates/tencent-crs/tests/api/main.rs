//! The actions as a client calls them, over a data plane and a clock that the tests steer.

mod backups;
mod callers;
mod every_action;
mod examples;
mod leases;
mod offers;
mod orders;
mod owner;
mod ratchet;
mod tables;
mod tasks;
mod world;
