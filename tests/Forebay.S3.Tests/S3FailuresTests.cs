using Forebay.Core;
using Forebay.S3.Addressing;
using Forebay.S3.Xml;
using Forebay.Testing;
using Microsoft.Extensions.Logging;

namespace Forebay.S3.Tests;

public sealed class S3FailuresTests
{
    private readonly LoggedEvents _log = new();
    private readonly ManualTimeProvider _time = new();
    private readonly RequestTarget _target = Parse("/data/a%20b?versionId=1");

    [Fact]
    public void AnOutageIsTenLinesASecondWithoutTracesAndACount()
    {
        S3Failures failures = new(_log, _time);
        for (int i = 0; i < 25; i++)
        {
            failures.Report($"ID{i}", "GET", _target, S3Errors.ServiceUnavailable, new ForebayException(ErrorKind.Unavailable, "reading 'a b': Connection refused"));
        }

        Assert.Equal(S3Failures.LinesPerSecond, _log.All.Count);
        Assert.All(_log.All, line => Assert.Null(line.Exception));
        Assert.Equal("ID0 GET /data/a%20b failed with ServiceUnavailable: reading 'a b': Connection refused", _log.All.First().Line);
        _time.Advance(TimeSpan.FromSeconds(1));
        failures.Report("LAST", "GET", target: null, S3Errors.ServiceUnavailable, new OperationCanceledException());

        Assert.StartsWith("15 more", _log.All.ElementAt(S3Failures.LinesPerSecond).Line, StringComparison.Ordinal);
        Assert.Equal("LAST GET - failed with ServiceUnavailable: a time-out of the node ended it", _log.All.Last().Line);
    }

    [Fact]
    public void WhatNobodyForesawHasItsTraceAndWhatTheClientCausedIsForDebugging()
    {
        S3Failures failures = new(_log, _time);
        ForebayException gone = new(ErrorKind.NotFound, "not there");
        ForebayException fault = new(ErrorKind.Unavailable, "the fill failed", new InvalidCastException()) { IsUnforeseen = true };
        for (int i = 0; i < 25; i++)
        {
            failures.Report("OUTAGE", "GET", _target, S3Errors.ServiceUnavailable, new ForebayException(ErrorKind.Unavailable, "down"));
        }

        failures.Report("ID", "GET", _target, S3Errors.ServiceUnavailable, fault);
        failures.Report("ID", "GET", _target, S3Errors.NoSuchKey, gone);

        Assert.Equal([(LogLevel.Error, (Exception?)fault), (LogLevel.Debug, gone)], _log.All.Skip(S3Failures.LinesPerSecond).Select(line => (line.Level, line.Exception)));
    }

    private static RequestTarget Parse(string rawTarget)
    {
        Assert.Null(RequestTarget.TryParse(rawTarget, virtualHostBucket: null, out RequestTarget? target));
        return target!;
    }
}
