//! What the limits let through and what not, by the rules of the default settings.

use super::*;

fn limits() -> Limits {
    Limits {
        account_network: Rate::then_per_minute(10, 1),
        network: Rate::then_per_minute(100, 10),
        account: Rate::then_per_minute(100, 1),
        registrations: Rate::hourly(30),
        mails: Rate::hourly(3),
        mail_requests: Rate::hourly(30),
        exempt: vec![Network::parse("10.0.0.0/8").unwrap()],
    }
}

fn throttle() -> Throttle {
    on_clock().0
}

fn on_clock() -> (Throttle, Clock) {
    let clock = Clock::manual(Timestamp::from_seconds(1_000_000));
    (Throttle::new(limits(), clock.clone(), None), clock)
}

fn user(number: u8) -> Account<'static> {
    Account::User(UserId::from_bytes([number; 12]))
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// How many of `count` failed guesses are let through.
fn failures(throttle: &Throttle, account: Account<'_>, from: &str, count: usize) -> usize {
    let guess = |_: &usize| throttle.guess(account, Familiarity::Unasked, address(from)).map(Attempt::stands).is_ok();
    (0..count).filter(guess).count()
}

#[test]
fn an_account_may_fail_ten_times_from_one_network() {
    let throttle = throttle();
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 50), 10);
    assert_eq!(failures(&throttle, user(2), "192.0.2.1", 50), 10, "another account has failures of its own");
    assert_eq!(failures(&throttle, user(1), "192.0.2.2", 50), 10, "another network, too");
}

#[test]
fn a_network_may_fail_a_hundred_times_whatever_the_accounts() {
    let (throttle, clock) = on_clock();
    let passed: usize = (0..50).map(|number| failures(&throttle, user(number), "192.0.2.1", 5)).sum();
    assert_eq!(passed, 100);
    assert!(throttle.admit(address("192.0.2.1")).is_err());
    assert!(throttle.admit(address("192.0.2.2")).is_ok());
    clock.advance(Duration::from_secs(6));
    assert!(throttle.admit(address("192.0.2.1")).is_ok());
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one_client_and_a_site_has_ten_times_as_much() {
    let one = throttle();
    let from = |network: u8, host: u16| format!("2001:db8:1:{network:x}::{host:x}");
    let passed: usize =
        (0..1_000).zip((0..200).cycle()).map(|(host, id)| failures(&one, user(id), &from(0, host), 1)).sum();
    assert_eq!(passed, 100);
    let site = throttle();
    let networks = (0..40).flat_map(|network| (0..50).map(move |host| (network, host)));
    let passed = networks.map(|(network, host)| failures(&site, user(host), &from(network, host.into()), 1));
    assert_eq!(passed.sum::<usize>(), 1_000);
}

#[test]
fn an_account_may_fail_a_hundred_times_all_over_and_passes_where_it_is_known() {
    let throttle = throttle();
    let passed: usize = (0..200).map(|host| failures(&throttle, user(1), &format!("192.0.2.{host}"), 1)).sum();
    assert_eq!(passed, 100);
    let from = address("198.51.100.7");
    let refused = throttle.guess(user(1), Familiarity::Unasked, from).err();
    assert_eq!(refused, Some(Refusal::OfAccount(Duration::from_mins(1))));
    assert!(throttle.guess(user(1), Familiarity::Known, from).is_ok());
    // Ten guesses from a network hold there as well.
    let known = |_: &usize| throttle.guess(user(1), Familiarity::Known, from).map(Attempt::stands).is_ok();
    assert_eq!((0..50).filter(known).count(), 9);
}

#[test]
fn who_succeeds_has_not_failed_and_is_forgiven_what_they_mistyped() {
    let throttle = throttle();
    for _ in 0..6 {
        assert_eq!(failures(&throttle, user(1), "192.0.2.1", 9), 9);
        throttle.guess(user(1), Familiarity::Unasked, address("192.0.2.1")).unwrap().succeeded();
    }
}

#[test]
fn a_success_forgives_the_network_nothing() {
    let throttle = throttle();
    for other in 10..20 {
        assert_eq!(failures(&throttle, user(other), "192.0.2.1", 10), 10);
        let own = throttle.guess(user(1), Familiarity::Unasked, address("192.0.2.1"));
        // The last of them is one too many: a hundred have failed.
        own.map_or_else(|_| assert_eq!(other, 19), Attempt::succeeded);
    }
    assert_eq!(failures(&throttle, user(2), "192.0.2.1", 1), 0);
}

#[test]
fn what_the_server_could_not_decide_does_not_count() {
    let throttle = throttle();
    for _ in 0..1_000 {
        throttle.guess(user(1), Familiarity::Unasked, address("192.0.2.1")).unwrap().withdraw();
    }
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 50), 10);
}

#[test]
fn what_is_in_flight_counts() {
    let throttle = throttle();
    let guess = || throttle.guess(user(1), Familiarity::Unasked, address("192.0.2.1"));
    let in_flight: Vec<_> = (0..500).filter_map(|_| guess().ok()).collect();
    assert_eq!(in_flight.len(), 10);
    for attempt in in_flight {
        attempt.withdraw();
    }
    assert!(guess().is_ok());
}

#[test]
fn names_that_nobody_has_count_like_others_and_what_is_no_name_for_the_network_alone() {
    let throttle = throttle();
    let name = LoginName::parse("nobody@example.com");
    assert_eq!(failures(&throttle, Account::Unknown(&name), "192.0.2.1", 50), 10);
    let spelled = LoginName::parse("NoBody@EXAMPLE.com");
    assert_eq!(failures(&throttle, Account::Unknown(&spelled), "192.0.2.1", 50), 0);
    assert_eq!(failures(&throttle, Account::Unknown(&LoginName::Nobody), "192.0.2.1", 200), 90);
}

#[test]
fn an_exempt_network_has_no_limits_of_its_own_and_accounts_keep_theirs() {
    let throttle = throttle();
    let passed: usize = (0..200).map(|number| failures(&throttle, user(number), "10.1.2.3", 5)).sum();
    assert_eq!(passed, 1_000);
    assert_eq!(failures(&throttle, user(201), "10.1.2.3", 50), 10);
    throttle.failed(address("10.1.2.3"));
    assert!((0..100).all(|_| throttle.register(address("10.1.2.3")).is_ok()));
}

#[test]
fn a_token_that_is_not_known_counts_once_however_often_it_is_shown() {
    let throttle = throttle();
    for _ in 0..1_000 {
        throttle.failed_to_find(&[1; 32], address("192.0.2.1"));
    }
    assert!(throttle.admit(address("192.0.2.1")).is_ok());
    for token in 2..=100 {
        throttle.failed_to_find(&[token; 32], address("192.0.2.1"));
    }
    assert!(throttle.admit(address("192.0.2.1")).is_err());
}

#[test]
fn registrations_and_mails_are_limited_by_the_hour() {
    let throttle = throttle();
    let register = |_: &usize| throttle.register(address("192.0.2.1")).map(Attempt::stands).is_ok();
    assert_eq!((0..50).filter(register).count(), 30);
    let mail =
        |to: &str, from: &str| throttle.mail(&Email::parse(to).unwrap(), address(from)).map(Attempt::stands).is_ok();
    assert_eq!((0..10).filter(|_| mail("ann@example.com", "192.0.2.1")).count(), 3);
    assert!(!mail("Ann@Example.com", "192.0.2.2"), "it is the address that gets no more");
    assert_eq!((0..50).filter(|number| mail(&format!("{number}@example.com"), "192.0.2.1")).count(), 27);
}

#[test]
fn what_is_off_limits_nothing() {
    let throttle = Throttle::off();
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 1_000), 1_000);
    assert!((0..1_000).all(|_| throttle.register(address("192.0.2.1")).is_ok()));
}

#[test]
fn a_site_has_ten_times_as_many_registrations_as_a_network() {
    let throttle = throttle();
    let register = |network: &usize| throttle.register(address(&format!("2001:db8:1:{network:x}::1"))).is_ok();
    assert_eq!((0..1_000).filter(register).count(), 300);
}

#[test]
fn a_clock_that_is_set_makes_nobody_wait_and_forgives_nobody() {
    let (throttle, clock) = on_clock();
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 50), 10);
    clock.set(clock.now().plus(Duration::from_hours(24)));
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 50), 0);
    clock.set(clock.now().minus(Duration::from_hours(48)));
    clock.advance(Duration::from_mins(1));
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 50), 1);
}

#[test]
fn what_others_answer_after_a_success_does_not_bring_back_what_failed_before_it() {
    let clock = Clock::manual(Timestamp::from_seconds(1_000_000));
    let throttle = Throttle::new(limits(), clock, Some(SharedKey::new([7; 32])));
    let learn = |untold: &[Untold]| {
        for it in untold.iter().filter(|it| it.failures > 0) {
            let later = throttle.rate(it.kind).unwrap().period().saturating_mul(it.failures);
            throttle.learn(it.kind, it.key, later);
        }
    };
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 9), 9);
    let untold = throttle.untold();
    throttle.guess(user(1), Familiarity::Unasked, address("192.0.2.1")).unwrap().succeeded();
    learn(&untold);
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 20), 10);
    // What was told with the success, or after it, is learnt.
    learn(&throttle.untold());
    assert_eq!(failures(&throttle, user(1), "192.0.2.1", 20), 0);
}
