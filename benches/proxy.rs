//! What the recorder costs: `pgbench -S` with prepared statements, directly,
//! through pgbouncer in session mode, and through the recorder with recording
//! on, in turns in one run, on a throwaway server.
//!
//! Only ratios within a round are compared: a single run's throughput says
//! little on a busy machine. Run with `cargo bench --bench proxy`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends where it cannot go on"
)]

use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::proxy::{Destination, Options, Recorder, ServerUrl};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ROUNDS: usize = 5;
const SECONDS: &str = "2";
const SCALE: &str = "5";
const CLIENTS: [&str; 2] = ["1", "16"];

/// One way to the server.
struct Way {
    name: &'static str,
    host: String,
    port: u16,
    /// The process to account to; none where there is nobody in between.
    pid: Option<u32>,
}

/// One run's figures.
#[derive(Clone, Copy)]
struct Run {
    transactions_per_s: f64,
    latency_us: f64,
    /// CPU of whoever is in between, per transaction.
    cpu_us: f64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = ThrowawayOptions { search_path: std::env::var_os("PATH"), ..ThrowawayOptions::default() };
    let target = runtime.block_on(Target::throwaway(&options, &Quiet)).unwrap();
    let url = target.url_for(target.database());
    let parsed = ServerUrl::parse(&url).unwrap();
    let (host, port) = parsed.hosts[0].clone();
    let direct = Way { name: "direct", host, port, pid: None };
    pgbench(&direct, &parsed, &["-i", "-q", "-s", SCALE]);

    let directory = tempfile::tempdir().unwrap();
    let mut recording = Options::new(&url, 1);
    recording.destination = Destination::File(directory.path().join("bench.trace"));
    let recorder = Recorder::start(&recording).unwrap();
    let address = recorder.address();
    let recorder_way = Way {
        name: "plimsoll",
        host: address.ip().to_string(),
        port: address.port(),
        pid: Some(std::process::id()),
    };
    let (bouncer_way, bouncer) = match pgbouncer(directory.path(), &direct, &parsed) {
        Some((way, child)) => (Some(way), Some(child)),
        None => {
            println!("pgbouncer is not installed: its column is left out");
            (None, None)
        }
    };
    for clients in CLIENTS {
        compare(clients, &direct, bouncer_way.as_ref(), &recorder_way, &parsed);
    }
    if let Some(mut child) = bouncer {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let recording = recorder.stop().unwrap();
    println!("stalls {}, losses {:?}", recording.stalls, recording.trace.losses);
    runtime.block_on(target.close()).unwrap();
}

fn compare(clients: &str, direct: &Way, bouncer: Option<&Way>, recorder: &Way, url: &ServerUrl) {
    let mut against_direct = Vec::new();
    let mut against_bouncer = Vec::new();
    let mut cpu = (Vec::new(), Vec::new());
    let mut added = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let plain = measure(direct, clients, url);
        let peer = bouncer.map(|way| measure(way, clients, url));
        let ours = measure(recorder, clients, url);
        against_direct.push(ours.transactions_per_s / plain.transactions_per_s);
        cpu.1.push(ours.cpu_us);
        added.1.push(ours.latency_us - plain.latency_us);
        if let Some(peer) = peer {
            against_bouncer.push(ours.transactions_per_s / peer.transactions_per_s);
            cpu.0.push(peer.cpu_us);
            added.0.push(peer.latency_us - plain.latency_us);
        }
    }
    println!("clients {clients}, {ROUNDS} rounds of {SECONDS} s, median [min-max]");
    println!("  throughput, plimsoll / direct       {}", spread(&against_direct));
    if bouncer.is_some() {
        println!("  throughput, plimsoll / pgbouncer    {}", spread(&against_bouncer));
        println!("  added latency us, pgbouncer         {}", spread(&added.0));
        println!("  CPU us per transaction, pgbouncer   {}", spread(&cpu.0));
    }
    println!("  added latency us, plimsoll          {}", spread(&added.1));
    println!("  CPU us per transaction, plimsoll    {}", spread(&cpu.1));
}

fn spread(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    format!("{:.2} [{:.2}-{:.2}]", sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1])
}

fn measure(way: &Way, clients: &str, url: &ServerUrl) -> Run {
    let before = way.pid.map_or(0.0, cpu_us);
    let output = pgbench(way, url, &["-n", "-S", "-M", "prepared", "-c", clients, "-j", "1", "-T", SECONDS]);
    let after = way.pid.map_or(0.0, cpu_us);
    let figure = |label: &str| -> f64 {
        let line = output.lines().find(|line| line.starts_with(label)).unwrap();
        let number = line.split(['=', ':']).nth(1).unwrap().trim().split([' ', '/']).next().unwrap();
        number.parse().unwrap()
    };
    let transactions = figure("number of transactions actually processed");
    Run {
        transactions_per_s: figure("tps"),
        latency_us: figure("latency average") * 1000.0,
        cpu_us: (after - before) / transactions,
    }
}

fn pgbench(way: &Way, url: &ServerUrl, arguments: &[&str]) -> String {
    let output = Command::new("pgbench")
        .args(["-h", &way.host, "-p", &way.port.to_string()])
        .args(arguments)
        .arg(url.database().unwrap())
        .env("PGUSER", url.user().unwrap())
        .env("PGPASSWORD", url.password().unwrap_or_default())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", way.name, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// User and system time of a process so far, in microseconds.
fn cpu_us(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // Linux reports in ticks of 10 ms to user space on all its platforms.
    ticks * 10_000.0
}

/// Starts pgbouncer where it is installed. As root it runs as `nobody`.
fn pgbouncer(directory: &Path, direct: &Way, url: &ServerUrl) -> Option<(Way, Child)> {
    let probe = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let (user, password) = (url.user().unwrap(), url.password().unwrap_or_default());
    let users = directory.join("users.txt");
    std::fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
    let configuration = format!(
        "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = session\ndefault_pool_size = 64\n",
        direct.host,
        direct.port,
        users.display()
    );
    let file = directory.join("pgbouncer.ini");
    std::fs::write(&file, configuration).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists())?;
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    let child = command.arg("-q").arg(&file).stderr(Stdio::null()).spawn().ok()?;
    let way = Way { name: "pgbouncer", host: "127.0.0.1".into(), port, pid: Some(child.id()) };
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    Some((way, child))
}
