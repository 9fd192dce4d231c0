//! Stack files as people have them: names that Volt gives nothing itself, what was there before, profiles.

use super::compose::{is_gone, stack, steps, within};
use volt_e2e::on_hosts;

const ORDINARY: &str = "\
name: ordinary
services:
  my_db:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    container_name: Ordinary_DB.main
    networks: {back: {aliases: [store.example.com, Store_2]}}
    volumes: ['kept:/kept']
  web:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    networks: [back]
    links: ['my_db:the_db']
  worker:
    image: tiny
    command: sleep 1000
    stop_grace_period: 1s
    profiles: [more]
    scale: 2
networks: {back: }
volumes: {kept: }
";

on_hosts! {
    fn compose_finds_services_as_their_files_call_them(host) {
        host.tiny();
        stack(host, "ordinary", ORDINARY);
        host.sh("volt volume create ordinary-kept > /dev/null").ok();
        let up = "volt compose --profile more up -d";
        within(host, "ordinary", up).ok();
        let asked = |name: &str| within(host, "ordinary", &format!("volt compose exec -T web nslookup {name}"));
        let own = within(host, "ordinary", "volt compose exec -T my_db hostname -i").ok();
        for name in ["my_db", "my-db", "Ordinary_DB.main", "ordinary-db-main", "store.example.com", "store_2", "the_db", "MY_DB"] {
            let answer = asked(name).ok();
            assert!(answer.contains(own.trim()), "{name}: {answer}");
        }
        // The name of another network's, and of no one.
        assert_ne!(asked("other_db").code, 0);

        // What was there before is used, and stays nobody's.
        assert_eq!(steps(&within(host, "ordinary", &format!("{up} -o json")).json()), [""; 0]);

        // What a command needs is up; what else is stays as it was, at a boot too.
        let wanted = || host.sh("systemctl show -P Wants volt-compose@ordinary.target | tr ' ' '\\n' | sort").ok();
        let all = wanted();
        assert!(all.contains("volt-container@ordinary-worker-2.service"), "{all}");
        assert_eq!(within(host, "ordinary", "volt compose run --rm -T web echo done").ok(), "done");
        within(host, "ordinary", "volt compose up -d web").ok();
        assert_eq!(wanted(), all);
        within(host, "ordinary", "volt compose down -v --remove-orphans").ok();
        host.sh("volt volume delete ordinary-kept").ok();
        is_gone(host, "ordinary");
    }
}
