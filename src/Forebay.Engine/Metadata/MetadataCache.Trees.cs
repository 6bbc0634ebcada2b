using System.Diagnostics.CodeAnalysis;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>
/// Trees that are walked directory by directory: a page of all names from the walk's place on answers for every directory it reaches over, where a question for
/// each would take a round trip for each, and the page behind it is brought meanwhile.
/// </content>
internal sealed partial class MetadataCache
{
    /// <summary>For so long trees are not asked for after a page of one has failed: directories may be answered all the same.</summary>
    private static readonly TimeSpan TreePause = TimeSpan.FromMinutes(1);

    private readonly TreeWalks _walks = new();
    private long _noTreesBefore;

    /// <summary>The walk that the listing of a directory belongs to; null when it belongs to none, or nothing would be won.</summary>
    private TreeWalk? WalkOf(ListQuery query)
        => query is { Delimiter: "/", After: null, MaxEntries: >= SmallPage } && query.Prefix.EndsWith('/')
            && !_store.HasDirectories && _options.MetadataTtl > TimeSpan.Zero && _time.GetTimestamp() >= Volatile.Read(ref _noTreesBefore)
            ? _walks.Follow(query.Prefix)
            : null;

    /// <summary>
    /// Answers the listing of a directory by a page of the tree when that reaches over it, else by a question of its own. A directory in which the known names
    /// end is asked for as the page on its way is: they are one question.
    /// </summary>
    /// <param name="walk">It belongs to.</param>
    /// <param name="question">What is not known of the directory.</param>
    /// <param name="requestId">Passed on to the under-store.</param>
    /// <param name="cancellationToken">Ends this wait only.</param>
    private async Task<ListPage> AskInWalkAsync(TreeWalk walk, ListingQuestion question, string? requestId, CancellationToken cancellationToken)
    {
        // Behind a directory in it the tree goes down there, which the rest of this listing does not show.
        string after = question.After ?? JustBefore(question.Prefix);
        if (!after.EndsWith('/'))
        {
            try
            {
                walk.OnPage(question.Prefix, await AskForPageAsync(new ListingQuestion(_prefix, Delimiter: null, after, LargestPage), requestId, cancellationToken));
            }
            catch (ForebayException error)
            {
                Volatile.Write(ref _noTreesBefore, _time.After(TreePause));
                if (error.IsTransient)
                {
                    throw;
                }

                // Refused: rights may be for listings of single directories only.
            }
        }

        return TryReadWalked(walk, question, out ListPage? known) ? known : await AskForPageAsync(question, requestId, cancellationToken);
    }

    private bool TryReadWalked(TreeWalk walk, ListingQuestion question, [NotNullWhen(true)] out ListPage? page)
    {
        var query = new ListQuery(question.Prefix, question.Delimiter, question.After, question.MaxEntries);
        ListingRange range = ListingRange.From(query.Prefix, query.Delimiter, query.After);
        ListingCoverage coverage = ReadKnown(query, range, cut: 0, allowExpired: false, out ListEntrySink sink);
        page = coverage == ListingCoverage.Hole ? null : new ListPage(sink.ToArray(), IsTruncated: coverage == ListingCoverage.Full);
        if (page is not null)
        {
            GoAhead(walk);
        }

        return page is not null;
    }

    private void GoAhead(TreeWalk? walk)
    {
        if (walk is not null && !_outage.IsDown && walk.TryGoAhead(out string after))
        {
            _ = BringAheadAsync(walk, after);
        }
    }

    private async Task BringAheadAsync(TreeWalk walk, string after)
    {
        ListPage? page = null;
        try
        {
            page = await FlyAsync(new ListingQuestion(_prefix, Delimiter: null, after, LargestPage), requestId: null, _lifetime.Token);
        }
        catch (ForebayException)
        {
            // Optional work: whoever needs the page asks for it and gets the error.
        }
        catch (OperationCanceledException)
        {
            // The cache was disposed.
        }
        finally
        {
            walk.OnAhead(after, page);
        }
    }
}
