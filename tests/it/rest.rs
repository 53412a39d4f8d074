//! The rest dialect, row by row.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PASSWORD, Server, answer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_answers_as_a_login_and_the_token_is_welcome() {
    let server = Server::start().await;
    let body = server.register("Ann@Example.com").await;
    assert_eq!(body["user"]["email"], "Ann@Example.com");
    assert_eq!(body["user"]["id"].as_str().unwrap().len(), 24);
    let token = body["accessToken"].as_str().unwrap();
    let (status, welcome) = answer(server.post("/auth").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        welcome,
        json!({"message": "Welcome Ann", "user": {"name": "Ann", "bio": null, "email": "Ann@Example.com"}})
    );
    let login = json!({"email": "ann@EXAMPLE.com", "password": PASSWORD});
    let (status, login) = server.post_json("/auth/login", &login).await;
    assert_eq!(status, StatusCode::OK, "{login}");
}
