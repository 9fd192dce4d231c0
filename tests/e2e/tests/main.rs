//! The end-to-end tests of Volt. One file for each noun; a test's name begins with the noun it proves.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing has failed")]

mod suite {
    mod boot;
    mod cas;
    mod cas_power;
    mod command_line;
    mod compose;
    mod compose_convert;
    mod compose_develop;
    mod compose_health;
    mod compose_isolation;
    mod compose_kept;
    mod compose_more;
    mod compose_ordinary;
    mod compose_undo;
    mod container_boot;
    mod container_confinement;
    mod container_exec;
    mod container_files;
    mod container_isolation;
    mod container_life;
    mod container_limits;
    mod container_logs;
    mod container_options;
    mod container_proot;
    mod container_run;
    mod container_state;
    mod container_syscalls;
    mod container_terminal;
    mod container_whole;
    mod crash;
    mod crash_compose;
    mod crash_daemon;
    mod crash_proot;
    mod daemon;
    mod docs;
    mod firewall;
    mod firewall_recipes;
    mod full_disk;
    mod health;
    mod hosts;
    mod image;
    mod image_build;
    mod image_registry;
    mod kernel;
    mod net;
    mod net_hosts;
    mod net_mend;
    mod net_names;
    mod net_policy;
    mod net_ports;
    mod net_tap;
    mod net_traffic;
    mod privileges;
    mod races;
    mod secret;
    mod service;
    mod snapshot;
    mod stacks;
    mod system;
    mod task;
    mod tasks;
    mod volume;
    mod workload;
}
