"""OpenTelemetry passes through: whoever runs the service under an agent sees its spans, and nobody else pays for them.

Datasette makes a server span for each request, with the trace that ``traceparent`` names, and spans of its SQL; it
leaves query strings and values out, and so do we. No provider is made here and no exporter: that is the operator's
(``opentelemetry-instrument liandong serve …``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

_tracer = trace.get_tracer("liandong")


def trace_id() -> str:
    """The current trace's id in hex: the caller's where ``traceparent`` came along; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


@contextmanager
def appending(route: str) -> Iterator[trace.Span]:
    """The span of making an answer's entry durable; its number is set when it is known."""
    with _tracer.start_as_current_span("liandong.append", record_exception=False) as span:
        span.set_attribute("liandong.route", route)
        yield span
