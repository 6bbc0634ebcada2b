using Forebay.Robustness.Detectors;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>The detectors themselves: each is fed histories with a known bug and must report it, and must tell a pass from having seen too little.</summary>
public sealed class DetectorTests
{
    private const string Key = "a";
    private const int Page = 1000;

    private readonly ManualTimeProvider _clock = new();

    [Fact]
    public void ResponsesOfOneVersionEachPass()
    {
        VersionDetector detector = Versions(3);

        for (int version = 0; version < 3; version++)
        {
            Observe(detector, version, Bytes(version, 0, 5000));
            Observe(detector, version, Bytes(version, 333, 100), offset: 333);
        }

        Assert.Equal(Verdict.Pass, detector.Judge(6, 3).Verdict);
        Assert.Equal(Verdict.Inconclusive, detector.Judge(7, 3).Verdict);
        Assert.Equal(Verdict.Inconclusive, detector.Judge(6, 4).Verdict);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(4999)]
    [InlineData(1)]
    public void BytesOfTwoVersionsAreReported(int mixedFrom)
    {
        VersionDetector detector = Versions(2);

        Observe(detector, version: 0, [.. Bytes(0, 0, mixedFrom), .. Bytes(1, mixedFrom, 5000 - mixedFrom)]);

        Reports(detector, "is not of version 0");
    }

    [Fact]
    public void OneFlippedBitIsReported()
    {
        VersionDetector detector = Versions(1);
        byte[] bytes = Bytes(0, 0, 5000);
        bytes[4321] ^= 1;

        Observe(detector, version: 0, bytes);

        Reports(detector, "byte 4321 ");
    }

    [Fact]
    public void TheETagOfAnotherVersionIsReported()
    {
        VersionDetector detector = Versions(2);

        Observe(detector, version: 1, Bytes(0, 0, 5000));

        Reports(detector, "the byte is of version 0");
    }

    [Fact]
    public void BytesFromAnotherOffsetAreReported()
    {
        VersionDetector detector = Versions(1);

        Observe(detector, version: 0, Bytes(0, 0, 500), offset: 8);

        Reports(detector, "is not of version 0");
    }

    [Theory]
    [InlineData(4999)]
    [InlineData(0)]
    public void TheLengthOfAnotherVersionIsReported(int length)
    {
        VersionDetector detector = Versions(1);

        detector.End(detector.Begin(Key), new Answer(200, Bytes(0, 0, length), IsComplete: true, ETag(0), 0, length, null));

        Reports(detector, $"has {length} bytes in an answer of version 0, which has 5000");
    }

    [Fact]
    public void GoingBackToAnOlderVersionIsReported()
    {
        VersionDetector detector = Versions(2);
        VersionDetector.Begun early = detector.Begin(Key);
        Observe(detector, version: 1, Bytes(1, 0, 100));

        // It began before the newer one was answered: an older answer is no mistake.
        detector.End(early, Answered(ETag(0), Bytes(0, 0, 100)));
        Assert.False(detector.HasViolation);
        Observe(detector, version: 0, Bytes(0, 0, 100));

        Reports(detector, "went back to version 0");
    }

    [Fact]
    public void AnETagThatIsLearnedStaysWithItsVersion()
    {
        VersionDetector detector = new(_clock);
        detector.Put(null, Key, 0, 5000);
        detector.Put(null, Key, 1, 5000);

        detector.End(detector.Begin(Key), Answered("\"learned\"", Bytes(0, 0, 100)));
        Assert.False(detector.HasViolation);
        detector.End(detector.Begin(Key), Answered("\"learned\"", Bytes(1, 0, 100)));

        Reports(detector, "stood for version 0 and now for 1");
    }

    [Fact]
    public void BytesOfNoVersionAreReported()
    {
        VersionDetector detector = Versions(1);

        detector.End(detector.Begin(Key), Answered("\"unknown\"", new byte[100]));

        Reports(detector, "of no version at all");
    }

    [Fact]
    public void AnErrorThatCannotBeAndAMissingETagAreReported()
    {
        VersionDetector wrongStatus = Versions(1);
        VersionDetector noETag = Versions(1);

        wrongStatus.End(wrongStatus.Begin(Key), new Answer(404, [], IsComplete: true, null, 0, 0, null));
        noETag.End(noETag.Begin(Key), Answered(null, Bytes(0, 0, 100)));

        Reports(wrongStatus, "404");
        Reports(noETag, "without an ETag");
    }

    [Fact]
    public void RefusalsAreNoViolationButProveNothing()
    {
        VersionDetector detector = Versions(1);

        for (int i = 0; i < 100; i++)
        {
            detector.End(detector.Begin(Key), new Answer(503, [], IsComplete: true, null, 0, 0, 1));
        }

        Assert.Equal(Verdict.Inconclusive, detector.Judge(1, 1).Verdict);
    }

    [Fact]
    public void StalenessIsMeasuredFromTheOverwriteToTheBeginningOfTheRequest()
    {
        VersionDetector detector = Versions(1);
        _clock.Advance(TimeSpan.FromSeconds(1));
        VersionDetector.Begun before = detector.Begin(Key);
        detector.Put(ETag(1), Key, 1, 5000);
        detector.End(before, Answered(ETag(0), Bytes(0, 0, 100)));
        Assert.Equal(TimeSpan.Zero, detector.Stalest);

        _clock.Advance(TimeSpan.FromSeconds(3));
        Observe(detector, version: 0, Bytes(0, 0, 100));

        Assert.Equal(TimeSpan.FromSeconds(3), detector.Stalest);
        Assert.Equal(Verdict.Pass, detector.Judge(1, 1, TimeSpan.FromSeconds(3)).Verdict);
        Assert.Equal(Verdict.Violation, detector.Judge(1, 1, TimeSpan.FromSeconds(2.9)).Verdict);
    }

    [Fact]
    public void AStoredPageThatIsFetchedAgainIsReported()
    {
        RefetchDetector detector = new(Page, TimeSpan.FromMilliseconds(100), _clock);
        detector.Read("x", 0, 3500, 3500);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        detector.Kill(_clock.GetTimestamp(), [new SentRange("x", 0, 3500)]);
        Assert.Equal((Verdict.Pass, 4), (detector.Judge(4).Verdict, detector.StoredPages));

        // One byte of a page is enough; an empty answer is nothing.
        detector.Kill(_clock.GetTimestamp(), [new SentRange("x", 1000, 0), new SentRange("other", 0, 5000)]);
        Assert.Equal(Verdict.Pass, detector.Judge(4).Verdict);
        detector.Kill(_clock.GetTimestamp(), [new SentRange("x", 3499, 1)]);

        Finding finding = detector.Judge(4);
        Assert.Equal(Verdict.Violation, finding.Verdict);
        Assert.StartsWith("page 3 of x ", finding.What, StringComparison.Ordinal);
    }

    [Fact]
    public void PagesThatWereReadInPartOrJustNowMayBeFetchedAgain()
    {
        RefetchDetector detector = new(Page, TimeSpan.FromMilliseconds(100), _clock);
        detector.Read("x", 1, 2998, 10_000);
        _clock.Advance(TimeSpan.FromMilliseconds(50));
        detector.Read("y", 0, 1000, 1000);
        _clock.Advance(TimeSpan.FromMilliseconds(99));
        detector.Kill(_clock.GetTimestamp(), []);

        detector.Kill(_clock.GetTimestamp(), [new SentRange("x", 0, 1000), new SentRange("x", 2000, 1000), new SentRange("y", 0, 1000)]);

        Assert.Equal((Verdict.Pass, 1), (detector.Judge(1).Verdict, detector.StoredPages));
        Assert.Equal(Verdict.Inconclusive, detector.Judge(2).Verdict);
    }

    [Fact]
    public void WhereTheMachineLetThreadsWaitOnlyOldPagesCount()
    {
        RefetchDetector detector = new(Page, TimeSpan.FromMilliseconds(100), _clock);
        detector.Read("old", 0, 1000, 1000);
        _clock.Advance(TimeSpan.FromSeconds(1));
        detector.Read("x", 0, 1000, 1000);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        detector.Kill(_clock.GetTimestamp(), [], isTimeKept: false);
        Assert.Equal((1, 0), (detector.StoredPages, detector.JustStoredPages));

        detector.Read("x", 0, 1000, 1000);
        _clock.Advance(TimeSpan.FromMilliseconds(150));
        detector.Kill(_clock.GetTimestamp(), [new SentRange("x", 0, 1000)]);
        Assert.Equal((2, 1), (detector.StoredPages, detector.JustStoredPages));
        Assert.Equal(Verdict.Pass, detector.Judge(1).Verdict);
    }

    [Theory]
    [InlineData("secret=hush-hush-7")]
    [InlineData("secret=HUSH-HUSH-7")]
    [InlineData("Basic aHVzaC1odXNoLTc=")]
    [InlineData("687573682D687573682D37")]
    public void ASecretIsFoundInItsUsualForms(string said)
        => Assert.Equal(Verdict.Violation, SecretDetector.Judge(["bucket", said], ["other", "hush-hush-7"], "bucket").Verdict);

    [Fact]
    public void TextsWithoutSecretsPassOnlyIfTheyAreThoseThatWereMeant()
    {
        Assert.Equal(Verdict.Pass, SecretDetector.Judge(["", "the bucket"], ["hush-hush-7"], "bucket").Verdict);
        Assert.Equal(Verdict.Inconclusive, SecretDetector.Judge(["", ""], ["hush-hush-7"], "bucket").Verdict);
    }

    [Fact]
    public void BytesOfThePatternDifferByKeyVersionAndOffset()
    {
        byte[] bytes = Bytes(0, 0, 100);

        Assert.True(new PatternContent(Key, 0).Matches(0, bytes));
        Assert.Equal(0, new PatternContent("b", 0).FirstMismatch(0, bytes));
        Assert.Equal(0, new PatternContent(Key, 1).FirstMismatch(0, bytes));
        Assert.False(new PatternContent(Key, 0).Matches(1, bytes));
        bytes[99] ^= 0x80;
        Assert.Equal(99, new PatternContent(Key, 0).FirstMismatch(0, bytes));
    }

    private VersionDetector Versions(int count)
    {
        VersionDetector detector = new(_clock);
        for (int version = 0; version < count; version++)
        {
            detector.Put(ETag(version), Key, version, 5000);
        }

        return detector;
    }

    private static string ETag(long version) => $"\"{version}\"";

    private static byte[] Bytes(long version, long offset, int length) => new PatternContent(Key, version).Bytes(offset, length);

    private static Answer Answered(string? eTag, byte[] body, long offset = 0) => new(206, body, IsComplete: true, eTag, offset, 5000, null);

    private static void Observe(VersionDetector detector, long version, byte[] body, long offset = 0) => detector.End(detector.Begin(Key), Answered(ETag(version), body, offset));

    private static void Reports(VersionDetector detector, string what)
    {
        Finding finding = detector.Judge(1, 1);
        Assert.Equal(Verdict.Violation, finding.Verdict);
        Assert.Contains(what, finding.What, StringComparison.Ordinal);
    }
}
