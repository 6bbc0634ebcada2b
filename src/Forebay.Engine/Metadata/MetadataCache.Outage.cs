using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <content>What nothing is known of while the under-store is down.</content>
internal sealed partial class MetadataCache
{
    /// <summary>Longest wait for a probe: one that takes longer goes on without those who wait.</summary>
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Asks during an outage: one caller a second, whose question goes on by itself; the others wait for that one, at most a second, and learn from it
    /// whether to ask. Without it each unknown name would cost all retries.
    /// </summary>
    /// <param name="ask">The question; the token ends a wait for it.</param>
    /// <param name="cancellationToken">Ends this wait only.</param>
    /// <exception cref="ForebayException">As the question; or at once, as the last one failed.</exception>
    private async Task<T> AskInOutageAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        if (_outage.TryBeginProbe())
        {
            Task<T> probe = ask(_lifetime.Token);
            _ = EndProbeAfterAsync(probe);
            try
            {
                return await probe.WaitAsync(ProbePatience, _time, cancellationToken);
            }
            catch (TimeoutException) when (_outage.Confirmed is { } error)
            {
                throw StillDown(error);
            }
            catch (TimeoutException)
            {
                return await probe.WaitAsync(cancellationToken);
            }
        }

        if (_outage.ProbeUnderWay is { } others)
        {
            try
            {
                await others.WaitAsync(ProbePatience, _time, cancellationToken);
            }
            catch (TimeoutException)
            {
                // Still down, as far as anybody knows.
            }
        }

        return _outage.Confirmed is { } last ? throw StillDown(last) : await ask(cancellationToken);
    }

    private async Task EndProbeAfterAsync(Task probe)
    {
        try
        {
            await probe;
        }
        catch (ForebayException)
        {
            // The outage guard has counted it.
        }
        catch (OperationCanceledException)
        {
            // The cache was disposed.
        }
        finally
        {
            _outage.EndProbe();
        }
    }

    private ForebayException StillDown(ForebayException last)
        => new(last.Kind, $"{_store.DisplayName} has been down for {_outage.DownFor.TotalSeconds:0} s and is asked once a second whether it is back; the last failure was: {last.Message}", last)
        {
            RetryAfter = OutageGuard.BackOff,
        };
}
