using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Forebay.DataPlane.Tests;

/// <summary>Remembers which events were logged, and how they read.</summary>
internal sealed class EventLog : ILogger
{
    private readonly ConcurrentQueue<(int Id, string Line)> _events = new();

    internal string[] LinesOf(int id) => [.. _events.Where(entry => entry.Id == id).Select(entry => entry.Line)];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => _events.Enqueue((eventId.Id, formatter(state, exception)));
}
