//! The layer as a middleware of reqwest.

use std::future::Future;
use std::pin::Pin;

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::UpstreamLayer;
use super::call::begin;
use crate::record::CalledUrl;

impl Middleware for UpstreamLayer {
    fn handle<'layer, 'extensions, 'next, 'handling>(
        &'layer self,
        mut request: Request,
        extensions: &'extensions mut Extensions,
        next: Next<'next>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'handling>>
    where
        'layer: 'handling,
        'extensions: 'handling,
        'next: 'handling,
        Self: 'handling,
    {
        Box::pin(async move {
            let (method, url) = (request.method().clone(), request.url().clone());
            let place = || (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
            let text = || CalledUrl::text(url.as_str());
            let running = begin(&self.choices, &method, url.authority(), place, text);
            if let Some(running) = &running {
                running.tell(request.headers_mut());
            }
            let answer = next.run(request, extensions).await;
            if let Some(running) = running {
                match &answer {
                    Ok(response) => running.answered(response.status(), response.headers()),
                    Err(error) => running.failed(error),
                }
            }
            answer
        })
    }
}
