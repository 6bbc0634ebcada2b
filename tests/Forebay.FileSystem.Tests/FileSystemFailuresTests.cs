using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Forebay.FileSystem.Tests;

public sealed class FileSystemFailuresTests
{
    /// <summary>Whoever may read a mount could fill the disk of its log.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FailuresAreAllCountedAndTenASecondAreLogged(bool isFault)
    {
        ManualTimeProvider time = new();
        Lines lines = new();
        FileSystemFailures failures = new(lines, time);
        Exception error = isFault ? new InvalidOperationException("a fault") : new ForebayException(ErrorKind.Unavailable, "it is down");

        for (int i = 0; i < 25; i++)
        {
            Assert.Equal(Errno.EIO, failures.Report("read", $"file{i}", error, isInterrupted: false));
        }

        Assert.Equal(10, lines.All.Count);
        time.Advance(TimeSpan.FromSeconds(1));
        failures.Report("read", "last", error, isInterrupted: false);

        Assert.Equal(26, failures.Count);
        Assert.Equal(12, lines.All.Count);
        Assert.StartsWith("15 more", lines.All[^2], StringComparison.Ordinal);
        Assert.Contains("'last'", lines.All[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void WhoGivesUpHimselfIsNoFailure()
    {
        Lines lines = new();
        FileSystemFailures failures = new(lines, new ManualTimeProvider());

        Assert.Equal(Errno.EINTR, failures.Report("read", "file", new OperationCanceledException(), isInterrupted: true));
        Assert.Equal(Errno.EIO, failures.Report("read", "file", new OperationCanceledException(), isInterrupted: false));

        Assert.Equal(1, failures.Count);
        Assert.Contains("timeout", Assert.Single(lines.All), StringComparison.Ordinal);
    }

    private sealed class Lines : ILogger
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => All.Add(formatter(state, exception));
    }
}
