using System.Collections.Concurrent;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>
/// What s3fs and ossfs keep of a directory in the headers of its marker, the object <c>path/</c>. Asked for only where the source is known to keep attributes, or
/// while that is being found out. Thread-safe.
/// </summary>
/// <remarks>
/// Never what a look-up or a listing depends on: a directory without a marker, or whose marker cannot be asked for within <see cref="Patience"/>, is shown as
/// the mount's options say, and after a failure nothing is asked for a while. What the mount point does not keep for long (that there is no marker, or
/// anything in an outage) is remembered here for <see cref="Memory"/>.
/// </remarks>
internal sealed class DirectoryMarkers(IFileMountPoint mount, AttributeRule rule, TimeProvider time)
{
    /// <summary>Answers that are remembered; when there are more, all are forgotten.</summary>
    private const int MostAnswers = 10_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Memory = TimeSpan.FromSeconds(60);
    private readonly ConcurrentDictionary<string, Answer> _answers = new(StringComparer.Ordinal);
    private long _restUntil = long.MinValue;

    /// <summary>True when a directory should be asked for before a listing shows it: for its attributes, or to tell whether the source keeps any.</summary>
    /// <param name="path">With a trailing slash.</param>
    internal bool IsWanted(string path) => (rule.ListingsLack || rule.AreMarkersSamples) && !IsResting && !TryFind(path, out _, out _);

    /// <summary>Asks for the marker of a directory. Throws only when the caller has no patience any more.</summary>
    /// <param name="path">With a trailing slash.</param>
    /// <param name="cancellationToken">The caller's.</param>
    internal async Task BringAsync(string path, CancellationToken cancellationToken)
    {
        if (!rule.TryAskForMarker())
        {
            return;
        }

        using RequestDeadline deadline = new(Patience, grace: TimeSpan.Zero, time, cancellationToken);
        try
        {
            ResolvedName marker = await mount.ResolveMarkerAsync(path, requestId: null, deadline.Token);
            _ = rule.ReadMarker(marker.Object, default);
            if (marker.Object is null || !mount.TryResolveMarker(path, out _))
            {
                Remember(path, marker.Object);
            }
        }
        catch (Exception error) when (error is ForebayException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            Volatile.Write(ref _restUntil, time.After(Rest));
        }
    }

    /// <summary>The attributes of a directory, as far as they are known; nothing is allocated where markers do not count.</summary>
    /// <param name="path">With a trailing slash or without.</param>
    /// <param name="attributes">What holds where there is no marker, or nothing is known of it; replaced by what its marker says.</param>
    /// <param name="freshFor">How long they may be believed; without end where markers do not count.</param>
    /// <returns>False when the marker should be asked for first.</returns>
    internal bool TryRead(string path, ref InodeAttributes attributes, out TimeSpan freshFor)
    {
        freshFor = TimeSpan.MaxValue;
        if (!rule.ListingsLack)
        {
            return true;
        }

        if (!TryFind(path.EndsWith('/') ? path : path + "/", out ObjectStat? marker, out TimeSpan known))
        {
            return IsResting;
        }

        freshFor = known;
        attributes = rule.ReadMarker(marker, attributes);
        return true;
    }

    /// <summary>What is remembered is not believed any more.</summary>
    internal void Forget() => _answers.Clear();

    private bool IsResting => time.GetTimestamp() < Volatile.Read(ref _restUntil);

    private bool TryFind(string path, out ObjectStat? marker, out TimeSpan freshFor)
    {
        if (mount.TryResolveMarker(path, out ResolvedName known) && known.Object is not null)
        {
            (marker, freshFor) = (known.Object, known.FreshFor);
            return true;
        }

        long now = time.GetTimestamp();
        bool isKnown = _answers.TryGetValue(path, out Answer answer) && now < answer.Until;
        (marker, freshFor) = isKnown ? (answer.Marker, time.GetElapsedTime(now, answer.Until)) : default;
        return isKnown;
    }

    private void Remember(string path, ObjectStat? marker)
    {
        if (_answers.Count >= MostAnswers)
        {
            _answers.Clear();
        }

        _answers[path] = new Answer(marker, time.After(Memory));
    }

    /// <summary>What was told of a directory.</summary>
    /// <param name="Marker">Null where there is none.</param>
    /// <param name="Until">Timestamp until which it is believed.</param>
    private readonly record struct Answer(ObjectStat? Marker, long Until);
}
