//! The tasks that show Volt as a whole, each on hosts that it makes for itself.

/// The main job on real input, as `cargo xtask demo` shows it: in a test host, or on this machine where systemd is its PID 1.
mod system_demo_shows_the_main_job {
    #[test]
    fn t2_hosts() {
        volt_e2e::xtask(&["demo", "--no-build"]);
    }
}

/// The Debian package, on a host of each suite that never saw Volt.
mod system_package_is_installed_used_upgraded_and_purged {
    #[test]
    fn t2_hosts() {
        volt_e2e::xtask(&["dist", "--check", "--profile", "host"]);
    }
}
