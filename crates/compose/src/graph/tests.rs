//! Tests of order and pictures.

use super::*;
use crate::testing::stack;
use proptest::prelude::*;

const SHOP: &str = "name: shop\nservices:\n  web: {image: 'nginx:1', ports: ['80:80'], networks: [front], depends_on: {api: {condition: service_healthy}}}\n  api: {image: api, scale: 2, depends_on: [db, cache], networks: [front, back]}\n  db: {image: db, volumes: ['data:/d'], networks: [back]}\n  cache: {image: cache, isolation: microvm, networks: [back]}\n  migrate: {image: api, networks: [back], depends_on: {db: {condition: service_started, required: false}}}\nnetworks: {front: , back: }\nvolumes: {data: }\n";

#[test]
fn levels_are_what_may_start_together() {
    assert_eq!(levels(&stack(SHOP)), [vec!["cache", "db"], vec!["api", "migrate"], vec!["web"]]);
    assert!(levels(&stack("x-a: 1")).is_empty());
}

#[test]
fn the_picture_in_a_terminal() {
    let wanted = "\
shop
├─ 1
│  ├─ cache
│  │    microvm cache
│  │    networks back
│  └─ db
│       container db
│       networks back
│       volumes data
├─ 2
│  ├─ api ← cache, db
│  │    container api × 2
│  │    networks back, front
│  └─ migrate ← db
│       container api
│       networks back
└─ 3
   └─ web ← api (healthy)
        container nginx:1
        ports 80:80/tcp
        networks front
";
    assert_eq!(text(&stack(SHOP)), wanted);
}

#[test]
fn the_picture_as_svg() {
    let picture = svg(&stack(SHOP));
    assert_eq!(picture.matches("<rect x=").count(), 5);
    assert_eq!(picture.matches("marker-end").count(), 4);
    assert!(picture.contains(">healthy<") && picture.contains("stroke-dasharray"));
    let odd = stack("services: {a: {command: ['</text>&\"']}}");
    assert!(svg(&odd).contains("&lt;/text&gt;&amp;"));
}

proptest! {
    #[test]
    fn everything_comes_after_what_it_depends_on(edges in prop::collection::vec((0_usize..8, 0_usize..8), 0..20)) {
        let mut services: Vec<Vec<String>> = vec![Vec::new(); 8];
        for (a, b) in edges.iter().map(|(a, b)| (a.max(b), a.min(b))).filter(|(a, b)| a != b) {
            services[*a].push(format!("s{b}: "));
        }
        let lines: Vec<String> = services.iter_mut().enumerate().map(|(n, on)| {
            on.sort();
            on.dedup();
            format!("  s{n}: {{image: x, depends_on: {{{}}}}}\n", on.join(", "))
        }).collect();
        let found = stack(&format!("services:\n{}", lines.concat()));
        let levels = levels(&found);
        let level = |key: &str| levels.iter().position(|level| level.iter().any(|k| k == key)).unwrap();
        prop_assert_eq!(levels.iter().map(Vec::len).sum::<usize>(), 8);
        for (key, service) in &found.services {
            for other in service.depends_on.keys() {
                prop_assert!(level(other) < level(key));
            }
            prop_assert!(level(key) == 0 || service.depends_on.keys().any(|other| level(other) + 1 == level(key)));
        }
    }
}
