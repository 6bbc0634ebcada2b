using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// Recognises who goes through a tree directory by directory in the order of names, as <c>find</c> and <c>ls -R</c> do, so that what follows can be asked for
/// in whole pages without delimiter and ahead of need. Looks only at the order of the questions: which of several walks a directory belongs to is a guess, but a
/// page serves whoever comes there. Thread-safe.
/// </summary>
internal sealed class TreeWalks
{
    /// <summary>Walks that are remembered at the same time; beyond that the one that paused longest is forgotten.</summary>
    internal const int MostWalks = 8;

    private readonly Lock _gate = new();

    // The one that moved last is the last.
    private readonly List<TreeWalk> _walks = new(MostWalks);

    /// <summary>Notes that a directory is listed from its beginning.</summary>
    /// <param name="prefix">Of its keys: empty or with a trailing slash.</param>
    /// <returns>The walk it belongs to; null while nothing tells that there is one.</returns>
    public TreeWalk? Follow(string prefix)
    {
        lock (_gate)
        {
            TreeWalk? walk = null;
            foreach (TreeWalk candidate in _walks)
            {
                if (candidate.CanGoTo(prefix) && (walk is null || KeyOrder.Instance.Compare(candidate.Directory, walk.Directory) > 0))
                {
                    walk = candidate;
                }
            }

            if (walk is not null)
            {
                _walks.Remove(walk);
            }
            else if (_walks.Count == MostWalks)
            {
                _walks.RemoveAt(0);
            }

            walk ??= new TreeWalk();
            _walks.Add(walk);
            return walk.GoTo(prefix) ? walk : null;
        }
    }
}
