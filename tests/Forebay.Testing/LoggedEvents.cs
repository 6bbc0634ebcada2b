using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Forebay.Testing;

/// <summary>Remembers which events were logged, and how they read.</summary>
public class LoggedEvents : ILogger
{
    private readonly ConcurrentQueue<LoggedEvent> _events = new();

    /// <summary>All events, in their order.</summary>
    public IReadOnlyCollection<LoggedEvent> All => _events;

    /// <summary>How those of one id read.</summary>
    public string[] LinesOf(int id) => [.. _events.Where(entry => entry.Id == id).Select(entry => entry.Line)];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        ArgumentNullException.ThrowIfNull(formatter);
        _events.Enqueue(new LoggedEvent(eventId.Id, logLevel, formatter(state, exception), exception));
    }
}

/// <summary>The same where a class wants a logger of its own.</summary>
public sealed class LoggedEvents<T> : LoggedEvents, ILogger<T>;

/// <summary>One event.</summary>
public sealed record LoggedEvent(int Id, LogLevel Level, string Line, Exception? Exception);
