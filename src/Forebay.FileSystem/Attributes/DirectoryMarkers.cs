using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>
/// What s3fs and ossfs keep of a directory in the headers of its marker, the object <c>path/</c>. Asked for only where the source is known to keep attributes, or
/// while that is being found out. Thread-safe.
/// </summary>
/// <remarks>
/// Never what a look-up or a listing depends on: a directory without a marker, or whose marker cannot be asked for within <see cref="Patience"/>, is shown as
/// the mount's options say, and after a failure nothing is asked for a while.
/// </remarks>
internal sealed class DirectoryMarkers(IFileMountPoint mount, AttributeRule rule, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);
    private long _restUntil = long.MinValue;

    /// <summary>True when a directory cannot be shown with its attributes before its marker was asked for.</summary>
    /// <param name="path">With a trailing slash.</param>
    internal bool IsNeeded(string path) => rule.ListingsLack && IsUnknown(path);

    /// <summary>As <see cref="IsNeeded"/>, or when it would tell whether the source keeps attributes.</summary>
    /// <param name="path">With a trailing slash.</param>
    internal bool IsWanted(string path) => (rule.ListingsLack || rule.AreMarkersSamples) && IsUnknown(path);

    /// <summary>Asks for the marker of a directory. Throws only when the caller has no patience any more.</summary>
    /// <param name="path">With a trailing slash.</param>
    /// <param name="cancellationToken">The caller's.</param>
    internal async Task BringAsync(string path, CancellationToken cancellationToken)
    {
        using RequestDeadline deadline = new(Patience, grace: TimeSpan.Zero, time, cancellationToken);
        try
        {
            ResolvedName marker = await mount.ResolveMarkerAsync(path, requestId: null, deadline.Token);
            _ = rule.ReadMarker(marker.Object, default);
            if (!mount.TryResolveMarker(path, out _))
            {
                // It is not kept: asking for each look would only cost.
                StartRest();
            }
        }
        catch (Exception error) when (error is ForebayException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            StartRest();
        }
    }

    /// <summary>The attributes that are known of a directory.</summary>
    /// <param name="path">With a trailing slash.</param>
    /// <param name="otherwise">Where there is no marker or nothing is known of it.</param>
    /// <param name="freshFor">How long they may be believed; without end where markers do not count.</param>
    internal InodeAttributes Read(string path, in InodeAttributes otherwise, out TimeSpan freshFor)
    {
        freshFor = TimeSpan.MaxValue;
        if (!rule.ListingsLack || !mount.TryResolveMarker(path, out ResolvedName marker))
        {
            return otherwise;
        }

        freshFor = marker.FreshFor;
        return rule.ReadMarker(marker.Object, otherwise);
    }

    private bool IsUnknown(string path) => time.GetTimestamp() >= Volatile.Read(ref _restUntil) && !mount.TryResolveMarker(path, out _);

    private void StartRest() => Volatile.Write(ref _restUntil, time.After(Rest));
}
