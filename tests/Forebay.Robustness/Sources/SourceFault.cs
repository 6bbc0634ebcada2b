namespace Forebay.Robustness.Sources;

/// <summary>How an answer of the source is spoilt.</summary>
public enum FaultKind
{
    /// <summary>The body ends and the connection is closed after some bytes.</summary>
    Truncate,

    /// <summary>As above, with a reset.</summary>
    Reset,

    /// <summary>The body stops after some bytes and the connection stays open.</summary>
    Stall,

    /// <summary>Nothing is answered.</summary>
    Silence,

    /// <summary>503 SlowDown with Retry-After: 1.</summary>
    SlowDown,

    /// <summary>500 with a body that is no XML.</summary>
    ServerError,

    /// <summary>The ETag of another version, with the right bytes.</summary>
    WrongETag,

    /// <summary>200 with the whole object, whatever range was asked.</summary>
    IgnoreRange,

    /// <summary>206 for a range that begins one page later, with its bytes.</summary>
    OtherRange,

    /// <summary>Bytes that are not HTTP.</summary>
    Garbage,

    /// <summary>A proxy's HTML page with status 200 and neither ETag nor the object's length.</summary>
    CaptivePortal,

    /// <summary>400 ExpiredToken, as for temporary credentials after their end; without a body to HEAD.</summary>
    ExpiredToken,
}

/// <summary>One spoilt answer.</summary>
/// <param name="Kind">What happens.</param>
/// <param name="AfterBytes">Body bytes sent before it happens, where that has a meaning.</param>
internal sealed record SourceFault(FaultKind Kind, int AfterBytes = 0);
