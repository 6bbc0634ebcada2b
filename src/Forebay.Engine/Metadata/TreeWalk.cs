using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>
/// One walk through a tree: where it is, and how far what follows was brought. <see cref="TreeWalks"/> looks at its place and moves it under a lock of its own;
/// the rest is thread-safe.
/// </summary>
internal sealed class TreeWalk
{
    /// <summary>Moves to a directory beside the last one, or beside one above it, after which it counts as a walk. Going down says nothing: who looks for one
    /// place does so too.</summary>
    internal const int StepsOfAWalk = 2;

    private readonly Lock _gate = new();
    private int _steps;
    private string? _frontier;
    private string _startOfLastPage = "";
    private bool _isGoingAhead;
    private string _directory = "";

    /// <summary>The directory that was listed last, with its trailing slash; empty at first.</summary>
    public string Directory => _directory;

    /// <summary>True when a directory lies below the last one, or is a later one beside it or beside one above it.</summary>
    public bool CanGoTo(string directory)
        => directory.StartsWith(_directory, StringComparison.Ordinal)
            || (_directory.AsSpan().StartsWith(ParentOf(directory), StringComparison.Ordinal) && KeyOrder.Instance.Compare(directory, _directory) > 0);

    /// <summary>Moves on.</summary>
    /// <returns>True when there were enough moves to call it a walk.</returns>
    public bool GoTo(string directory)
    {
        lock (_gate)
        {
            if (!directory.StartsWith(_directory, StringComparison.Ordinal))
            {
                _steps++;
            }

            if (!_isGoingAhead && _frontier is not null && KeyOrder.Instance.Compare(directory, _frontier) > 0)
            {
                // Over all that was brought: whoever takes directories here and there goes upwards too, now and then.
                _steps = 0;
                _frontier = null;
            }

            _directory = directory;
            return _steps >= StepsOfAWalk;
        }
    }

    /// <summary>A page of the tree was asked for because the listing of a directory was not known.</summary>
    /// <param name="directory">With its trailing slash.</param>
    /// <param name="page">The answer.</param>
    public void OnPage(string directory, ListPage page)
    {
        lock (_gate)
        {
            string? last = page.IsTruncated ? page.Entries[^1].Name : null;
            bool isTooLarge = last?.StartsWith(directory, StringComparison.Ordinal) == true;
            _frontier = isTooLarge ? null : last;
            _startOfLastPage = directory;
            if (isTooLarge)
            {
                // Names far below a directory are no help to who lists it: this is tried again when the walk has gone on.
                _steps = 0;
            }
        }
    }

    /// <summary>Asks whether the next page shall be brought: when the walk has taken a step on the last one that was, for some take only one.</summary>
    /// <param name="after">On true, the name the page begins behind; the caller owes <see cref="OnAhead"/>.</param>
    public bool TryGoAhead(out string after)
    {
        lock (_gate)
        {
            after = _frontier ?? "";
            if (_frontier is null || _isGoingAhead
                || KeyOrder.Instance.Compare(_directory, _frontier) > 0
                || KeyOrder.Instance.Compare(_directory, _startOfLastPage) <= 0)
            {
                return false;
            }

            _isGoingAhead = true;
            return true;
        }
    }

    /// <summary>What came of it.</summary>
    /// <param name="after">The name the page begins behind.</param>
    /// <param name="page">Null when it could not be brought.</param>
    public void OnAhead(string after, ListPage? page)
    {
        lock (_gate)
        {
            _isGoingAhead = false;
            if (string.Equals(_frontier, after, StringComparison.Ordinal))
            {
                _startOfLastPage = after;
                _frontier = page is { IsTruncated: true } ? page.Entries[^1].Name : null;
            }
        }
    }

    private static ReadOnlySpan<char> ParentOf(string directory)
        => directory.AsSpan(0, directory.AsSpan(0, Math.Max(0, directory.Length - 1)).LastIndexOf('/') + 1);
}
