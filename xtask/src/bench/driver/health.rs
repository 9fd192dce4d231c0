//! What the process that looks whether workloads are well needs for 500 looks a second: 50 containers, ten times a second each.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::clock::{run, sized};
use super::volt;
use crate::bench::samples::Samples;
use crate::run::{Context, Result, fail, program};

const UNIT: &str = "volt-health.service";
/// How many containers, each looked at ten times a second.
const MANY: usize = 50;
/// What the kernel counts CPU time in, a second.
const TICKS: f64 = 100.0;

/// All figures.
pub(super) fn all(rounds: usize) -> Result<Vec<Samples>> {
    volt::ready()?;
    let names: Vec<String> = (0..sized(rounds, MANY, 5)).map(|n| format!("looked-{n}")).collect();
    for name in &names {
        let words = [
            "volt",
            "run",
            "-d",
            "--name",
            name,
            "--health-http",
            "80/page",
            "--health-interval",
            "100ms",
        ];
        run(&[
            &words[..],
            &[
                volt::IMAGE,
                "sh",
                "-c",
                "mkdir /www; echo well > /www/page; exec httpd -f -p 80 -h /www",
            ],
        ]
        .concat())?;
    }
    let seconds = Duration::from_secs(sized(rounds, 10, 1));
    let mut all = Vec::new();
    for figure in ["health-http", "health-tcp"] {
        if figure == "health-tcp" {
            for name in &names {
                run(&["volt", "health", "configure", "--tcp", "80", name])?;
            }
        }
        sleep(Duration::from_secs(3));
        all_healthy(names.len())?;
        let mut samples = Samples { figure: figure.into(), ..Samples::default() };
        for _ in 0..rounds {
            samples.ours.push(busy(seconds)?);
        }
        all.push(samples);
    }
    all_healthy(names.len())?;
    all.push(Samples {
        figure: "health-memory".into(),
        ours: vec![resident()?],
        ..Samples::default()
    });
    run(&["sh", "-c", "rm -r /etc/volt/health"])?;
    volt::delete(&names)?;
    Ok(all)
}

fn all_healthy(many: usize) -> Result<()> {
    let listed = program("volt").args(["health", "list"]).read()?;
    match listed.lines().filter(|line| line.contains(" healthy")).count() {
        healthy if healthy == many => Ok(()),
        healthy => fail(format!("{healthy} of {many} are healthy:\n{listed}")),
    }
}

/// The CPU time of the process over so long, in per cent.
fn busy(seconds: Duration) -> Result<f64> {
    let (pid, begun) = (pid()?, Instant::now());
    let before = worked(&pid)?;
    sleep(seconds);
    Ok((worked(&pid)? - before) / begun.elapsed().as_secs_f64() * 100.0)
}

fn pid() -> Result<String> {
    let words = ["show", "--value", "--property", "MainPID", UNIT];
    Ok(program("systemctl").args(words).read()?.trim().to_owned())
}

/// The CPU time of all its threads, in seconds.
fn worked(pid: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context(|| UNIT.into())?;
    // Behind the name, which may have anything in it: the 12th and 13th field.
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS)
}

fn resident() -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid()?)).context(|| UNIT.into())?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    match line.and_then(|value| value.trim().parse::<f64>().ok()) {
        Some(kib) => Ok(kib / 1024.0),
        None => fail("it says no VmRSS"),
    }
}
