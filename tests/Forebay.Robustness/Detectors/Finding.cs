namespace Forebay.Robustness.Detectors;

/// <summary>What a detector came to. A detector that has seen too little proves nothing: that is not a pass.</summary>
internal enum Verdict
{
    /// <summary>Enough was seen and all of it was right.</summary>
    Pass,

    /// <summary>The invariant was broken.</summary>
    Violation,

    /// <summary>Nothing was wrong, but too little was seen.</summary>
    Inconclusive,
}

/// <summary>A verdict and its reason.</summary>
internal sealed record Finding(Verdict Verdict, string What)
{
    /// <summary>Fails the test unless enough was seen and all of it was right.</summary>
    public void AssertPass() => Assert.True(Verdict == Verdict.Pass, $"{Verdict}: {What}");
}
