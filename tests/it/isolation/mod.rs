//! Requests, tasks, threads and runtimes side by side: none sees anything of another, and none waits for another.

mod cancelled;
mod crowd;
mod hubs;
mod locks;
mod runtimes;
